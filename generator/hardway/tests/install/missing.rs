//! What is missing, taken or closed on the host: told before a machine starts, with
//! what to do, exit code 1, and nothing half-written.
//!
//! Some of it can't be taken away from a whole host: there the command runs in a
//! mount namespace of its own, which ends with it. Without one (unshare is in no
//! sandbox of Nix, and macOS has no such thing) these tests are skipped.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use assert_cmd::cargo::cargo_bin;
use qemu::Arch;
use serde_json::{Value, json};
use walkdir::WalkDir;

use crate::skip::skip;
use crate::support::{Cluster, named_by_a_process, small_medium};

const NO_NAMESPACE: &str = "needs a mount namespace (unshare --map-root-user --mount)";

fn has_namespaces() -> bool {
    let tried = Command::new("unshare")
        .args(["--map-root-user", "--mount", "true"])
        .output();
    tried.is_ok_and(|output| output.status.success())
}

/// A folder with links to these programs of this host.
fn programs(folder: &Path, names: &[&str]) -> PathBuf {
    let bin = folder.join("bin");
    fs::create_dir(&bin).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for name in names {
        let found = std::env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
            .unwrap_or_else(|| panic!("{name} is on the PATH"));
        symlink(fs::canonicalize(found).unwrap(), bin.join(name)).unwrap();
    }
    bin
}

/// What one run said, and that it left no machine and no installation behind.
struct Refused {
    stderr: String,
    cluster: Cluster,
}

impl Refused {
    fn new(cluster: Cluster, output: &Output) -> Self {
        // What depends on the host: the word about an accelerator that does not work.
        let stderr: String = String::from_utf8_lossy(&output.stderr)
            .lines()
            .filter(|line| !line.contains(" is there but does not run a guest "))
            .flat_map(|line| [line, "\n"])
            .collect();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        assert!(!named_by_a_process(&cluster.paths.state()), "{stderr}");
        for node in &cluster.topology.nodes {
            assert!(!cluster.paths.node(&node.name).installed().exists());
        }
        Self { stderr, cluster }
    }

    /// That no disk was made either.
    fn nothing_begun(self) -> Self {
        let nodes = self.cluster.paths.state().join("nodes");
        assert!(!nodes.exists(), "{}", self.stderr);
        self
    }
}

/// `hardway VERB… --iso` of a small medium, which is for x86_64 on every host, with these
/// programs on the PATH.
fn with_programs(verb: &[&str], names: &[&str]) -> Refused {
    let folder = tempfile::tempdir().unwrap();
    let iso = small_medium(folder.path(), |_| {});
    let cluster = Cluster::new();
    fs::write(
        cluster.folder.path().join("cluster.env"),
        "WORKER_MEM=1024\nCONTROL_PLANE_MEM=2048\nDISK_SIZE=8\n",
    )
    .unwrap();
    let output = cluster
        .command()
        .args(verb)
        .args(["--arch", "x86_64", "--iso"])
        .arg(iso)
        .env("PATH", programs(folder.path(), names))
        .env("XDG_CACHE_HOME", folder.path())
        .output()
        .unwrap();
    Refused::new(cluster, &output)
}

/// An error with a cause without the words of its first line, and without the stage that
/// broke off before it: what first needs qemu-img depends on whether there is a hypervisor
/// to try.
fn without_step(stderr: &str) -> String {
    let stage = |line: &str| line.starts_with("base:  disk broke off after ");
    let error = match stderr.split_once('\n') {
        Some((first, error)) if stage(first) => error,
        _ => stderr,
    };
    let (first, rest) = error.split_once('\n').unwrap();
    assert!(first.starts_with("error: "), "{stderr}");
    match rest.starts_with("caused by: ") {
        true => format!("error: [step]\n{rest}"),
        false => error.to_owned(),
    }
}

#[test]
fn programs_that_are_missing() {
    let told = [
        with_programs(&["install", "sigma"], &["xorriso", "expect"]),
        with_programs(
            &["install", "sigma"],
            &["xorriso", "expect", "qemu-system-x86_64"],
        ),
        // Once, not for each of three nodes.
        with_programs(
            &["install", "alpha", "sigma", "gamma"],
            &["xorriso", "qemu-img", "qemu-system-x86_64"],
        )
        .nothing_begun(),
    ]
    .map(|refused| without_step(&refused.stderr));
    insta::assert_snapshot!(told.join("\n"));
}

/// Runs `preparation` and then `hardway` in a mount namespace.
fn in_a_namespace(cluster: Cluster, preparation: &str, verb: &str) -> Refused {
    let script = format!("{preparation}\n{verb}");
    let mut shell = Command::new("unshare");
    shell.args(["--map-root-user", "--mount", "sh", "-ec"]);
    prepared(&mut shell, cluster, &script)
}

/// Runs `script` in `shell`: `$1` is a folder of the test's own, `$2` the program, `$3` the
/// medium.
fn prepared(shell: &mut Command, cluster: Cluster, script: &str) -> Refused {
    let folder = tempfile::tempdir().unwrap();
    let iso = small_medium(folder.path(), |_| {});
    fs::create_dir(folder.path().join("cache")).unwrap();
    let output = shell
        .arg(script)
        .arg("sh")
        .arg(folder.path())
        .arg(cargo_bin("hardway"))
        .arg(iso)
        .env("XDG_CACHE_HOME", folder.path().join("cache"))
        .env("HARDWAY_MEMORY", "100000")
        .current_dir(cluster.folder.path())
        .output()
        .unwrap();
    Refused::new(cluster, &output)
}

#[test]
fn firmware_that_is_missing() {
    if !has_namespaces() {
        skip!(NO_NAMESPACE);
    }
    let refused = in_a_namespace(
        Cluster::new(),
        "for folder in /usr/share/OVMF /usr/share/ovmf /usr/share/qemu /etc/qemu; do
           [ ! -d $folder ] || mount -t tmpfs none $folder
         done",
        r#""$2" install sigma --arch x86_64 --iso "$3""#,
    )
    .nothing_begun();
    let told = refused.stderr;
    assert!(
        told.starts_with("error: no UEFI firmware for x86_64 (looked for descriptors in "),
        "{told}"
    );
    assert!(told.contains("/usr/share/OVMF/OVMF_CODE_4M.fd"), "{told}");
    assert!(
        told.ends_with(
            "\nhint: Debian: apt install ovmf; Nix and Homebrew: QEMU brings its own \
             (nix profile install nixpkgs#qemu; brew install qemu)\n"
        ),
        "{told}"
    );
}

fn set_folder_modes(top: &Path, mode: u32) {
    let folders = WalkDir::new(top).into_iter().map(Result::unwrap);
    for folder in folders.filter(|entry| entry.file_type().is_dir()) {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// /dev/kvm is there, can be opened, and is no hypervisor.
#[test]
fn a_hypervisor_that_is_broken() {
    if !has_namespaces() {
        skip!(NO_NAMESPACE);
    }
    let folder = tempfile::tempdir().unwrap();
    // Of this host's architecture: no other's guest runs on its hypervisor.
    let iso = small_medium(folder.path(), |tree| {
        if Arch::native() == Arch::Aarch64 {
            let loaders = tree.join("EFI/BOOT");
            fs::rename(loaders.join("BOOTX64.EFI"), loaders.join("BOOTAA64.EFI")).unwrap();
        }
    });
    fs::create_dir(folder.path().join("dev")).unwrap();
    let cluster = Cluster::new();
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-ec"])
        .arg(
            "mount -t tmpfs none \"$1/dev\"; cd \"$1/dev\"
             for device in null zero urandom random tty; do
               : >$device; mount --bind /dev/$device $device
             done
             : >kvm; mount --bind /dev/null kvm; mkdir shm
             mount --rbind . /dev; cd \"$OLDPWD\"
             exec \"$2\" install sigma --iso \"$3\"",
        )
        .arg("sh")
        .arg(folder.path())
        .arg(cargo_bin("hardway"))
        .arg(iso)
        .env("XDG_CACHE_HOME", folder.path().join("cache"))
        .env("HARDWAY_MEMORY", "100000")
        .current_dir(cluster.folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    // Then it is emulated: the next error is that of the medium's kernel, which is none.
    assert!(
        told.starts_with("kvm is there but does not run a guest (")
            && told.contains("guests are emulated: about ten times slower, and one CPU each\n"),
        "{told}"
    );
    // A line a stage, as always where there is no terminal.
    let stages: Vec<&str> = told
        .lines()
        .filter(|line| line.starts_with("base: "))
        .collect();
    assert!(
        matches!(stages[..], [disk, boot] if disk.starts_with("base:  disk ")
            && boot.starts_with("base:  boot broke off after ")),
        "{told}"
    );
    assert!(
        told.contains("error: cannot make the base that the nodes share\n"),
        "{told}"
    );
    assert!(!named_by_a_process(&cluster.paths.state()), "{told}");
}

#[test]
fn a_state_folder_that_cannot_be_written() {
    // Modes close nothing to root.
    let by_mode = !rustix::process::geteuid().is_root();
    if !by_mode && !has_namespaces() {
        skip!(NO_NAMESPACE);
    }
    let read_only = r#"mount --bind "$PWD/.hardway" "$PWD/.hardway"
        mount -o remount,bind,ro "$PWD/.hardway""#;
    for (verb, told) in [
        ("generate", "error: cannot write "),
        (
            r#"install sigma --arch x86_64 --iso "$3""#,
            "error: cannot open the lock ",
        ),
        (
            r#"up --arch x86_64 --iso "$3""#,
            "error: cannot open the lock ",
        ),
    ] {
        let cluster = Cluster::new();
        // So that there is something to write.
        fs::remove_file(cluster.paths.pki().join("admin.pem")).unwrap();
        let verb = format!(r#""$2" {verb}"#);
        let (refused, cause) = if by_mode {
            let state = cluster.paths.state();
            set_folder_modes(&state, 0o500);
            let refused = prepared(Command::new("sh").arg("-ec"), cluster, &verb);
            set_folder_modes(&state, 0o700);
            (refused, "Permission denied")
        } else {
            let refused = in_a_namespace(cluster, read_only, &verb);
            (refused, "Read-only file system")
        };
        let refused = refused.nothing_begun();
        let stderr = &refused.stderr;
        assert!(stderr.contains(told), "{stderr}");
        let cause = format!("caused by: {cause}");
        assert!(stderr.contains(&cause), "{stderr}");
        assert!(stderr.contains("\nhint: check who owns "), "{stderr}");
    }
}

/// Told before minutes of installing, and by whom.
#[test]
fn a_port_that_is_taken() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let cluster = Cluster::new();
    let mut json: Value =
        serde_json::from_str(&fs::read_to_string(cluster.paths.cluster_json()).unwrap()).unwrap();
    json["nodes"]["sigma"]["forwards"] = json!([{ "host": port, "guest": 80 }]);
    fs::write(cluster.paths.cluster_json(), json.to_string()).unwrap();
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let api = free.local_addr().unwrap().port();
    drop(free);
    let folder = tempfile::tempdir().unwrap();
    let output = cluster
        .command()
        .args(["up", "--arch", "x86_64", "--iso"])
        .arg(small_medium(folder.path(), |_| {}))
        .env("XDG_CACHE_HOME", folder.path())
        .env("API_PORT", api.to_string())
        // 10.240.0.10 to 10.240.0.22: not the usual ones, which another cluster may have.
        .env("SSH_PORT_BASE", (api - 30).to_string())
        .env("WORKER_MEM", "1024")
        .env("CONTROL_PLANE_MEM", "2048")
        .env("DISK_SIZE", "8")
        .output()
        .unwrap();
    let refused = Refused::new(cluster, &output).nothing_begun();
    let told = &refused.stderr;
    let start = format!("error: sigma needs port {port} of 127.0.0.1\ncaused by: it is taken");
    let hint = "\nhint: stop that program, or choose another port: \
                nodes.sigma.forwards in cluster.json\n";
    assert!(told.starts_with(&start) && told.ends_with(hint), "{told}");
    // macOS asks lsof, which no sandbox lets it run.
    if cfg!(target_os = "linux") {
        let holder = format!(
            " by {} (process {})",
            fs::read_to_string("/proc/self/comm").unwrap().trim(),
            std::process::id()
        );
        assert!(told.contains(&holder), "{told}");
    }
}
