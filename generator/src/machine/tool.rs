//! Questions to programs that answer at once, with a time limit all the same.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// For what takes a moment; a loaded host may need longer.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// The first executable file of that name on the PATH.
pub(crate) fn search(program: impl AsRef<Path>) -> Option<PathBuf> {
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
    let Some(output) = run.wait_timeout(LIMIT)? else {
        run.kill()?;
        bail!("{name} did not answer within {} s", LIMIT.as_secs());
    };
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{name} failed ({}): {}", output.status, complaint.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
