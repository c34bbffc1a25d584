//! Questions to programs that answer at once, with a time limit all the same.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// For what takes a moment; a loaded host may need longer.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// Between two questions whether to wait on.
const SLICE: Duration = Duration::from_millis(200);

/// The first executable file of that name on the PATH.
pub fn search(program: impl AsRef<Path>) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;

    let runs = |path: &PathBuf| {
        path.metadata()
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(&program))
        .find(runs)
}

/// Runs a program and gives its standard output; what it wrote to standard error
/// is in the error.
pub(super) fn ask<I>(program: &Path, arguments: I) -> Result<String>
where
    I: IntoIterator,
    I::Item: Into<OsString>,
{
    let deadline = Instant::now() + LIMIT;
    ask_while(program, arguments, |_| match Instant::now() < deadline {
        true => Ok(()),
        false => bail!(
            "{} did not answer within {} s",
            program.display(),
            LIMIT.as_secs()
        ),
    })
}

/// As [`ask`], waiting as long as `go_on`, which is given the program's process id, does
/// not fail; then the program is killed.
pub(super) fn ask_while<I>(
    program: &Path,
    arguments: I,
    mut go_on: impl FnMut(i32) -> Result<()>,
) -> Result<String>
where
    I: IntoIterator,
    I::Item: Into<OsString>,
{
    let name = program.display();
    let run = duct::cmd(program, arguments)
        .stdin_null()
        .stdout_capture()
        .stderr_capture()
        .unchecked()
        // Ctrl-C comes to hardway alone, which then says that it was interrupted.
        .before_spawn(|command| {
            command.process_group(0);
            Ok(())
        })
        .start()
        .with_context(|| format!("cannot run {name}"))?;
    let pid = run.pids().first().copied().unwrap_or_default();
    let pid = i32::try_from(pid)?;
    let output = loop {
        if let Some(output) = run.wait_timeout(SLICE)? {
            break output;
        }
        if let Err(error) = go_on(pid) {
            run.kill()?;
            return Err(error);
        }
    };
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{name} failed ({}): {}", output.status, complaint.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
