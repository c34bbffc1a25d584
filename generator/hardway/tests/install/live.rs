//! How install.exp talks to a live system: a shell in QEMU's place that boots, prompts and
//! answers as NixOS' medium does, and has no program but the test's own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::Script;

/// Boots to the prompts of nixos and of root, then is a plain shell.
const LIVE: &str = r#"
read -r _
printf '\n[root@nixos:~]# '
read -r _
bash=$(command -v bash)
exec env PATH="$here/bin" TERM=dumb PS1='hw> ' PS2= "$bash" --noprofile --norc --noediting -i
"#;

/// Counts its calls in the file of its name and fails the first N.
fn after(calls: u32) -> String {
    format!(
        "calls=0
[ ! -e \"$here/$name\" ] || read -r calls <\"$here/$name\"
echo $((calls + 1)) >\"$here/$name\"
[ \"$calls\" -ge {calls} ]"
    )
}

fn program(file: &Path, here: &Path, script: &str) {
    let name = file.file_name().unwrap().to_str().unwrap();
    let here = here.display();
    fs::write(
        file,
        format!("#!/bin/sh\nhere='{here}' name='{name}'\n{script}\n"),
    )
    .unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A machine in a folder: what it does once its kernel has started, and its programs.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(prompt: &str, then: &str, programs: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let root = [
            ("id", "echo 0"),
            ("sleep", ":"),
            ("touch", ":"),
            ("uname", "echo Linux"),
        ];
        for (name, script) in root.iter().chain(programs) {
            program(&bin.join(name), folder.path(), script);
        }
        // The terminal echoes nothing from the start, so that no answer is taken for a prompt.
        let boot = format!("stty sane -echo\necho 'Linux version 6.18'\nprintf '{prompt}'\n{then}");
        program(&folder.path().join("qemu"), folder.path(), &boot);
        Self(folder)
    }

    fn qemu(&self) -> String {
        self.0.path().join("qemu").to_str().unwrap().to_owned()
    }

    /// How often a program was called.
    fn calls(&self, name: &str) -> u32 {
        let text = fs::read_to_string(self.0.path().join(name)).unwrap();
        text.trim().parse().unwrap()
    }
}

#[test]
fn a_network_that_comes_up_late_is_waited_for() {
    let (getent, curl) = (after(7), after(2));
    let machine = Machine::new(
        "\\n[nixos@nixos:~]$ ",
        LIVE,
        &[("getent", &getent), ("curl", &curl)],
    );
    let (ended, _) = Script::start_online("1", &[&machine.qemu()]).end();
    // There is no disk to go on with.
    assert_eq!(ended.code, Some(14), "{}", ended.said);
    // Two names: the eighth call is the first to find one.
    assert_eq!((machine.calls("getent"), machine.calls("curl")), (9, 3));
}

#[test]
fn a_network_that_never_comes_is_told_with_what_the_live_system_knows() {
    let machine = Machine::new(
        "\\n[nixos@nixos:~]$ ",
        LIVE,
        &[
            ("getent", "exit 2"),
            ("ip", "echo \"told by ip $*\""),
            (
                "nmcli",
                "echo 'ens3:ethernet:connecting (getting IP configuration):Wired connection 1'",
            ),
            ("journalctl", "echo 'dhcp4 (ens3): request timed out'"),
        ],
    );
    let (ended, _) = Script::start_online("0.2", &[&machine.qemu()]).end();
    assert_eq!(ended.code, Some(13), "{}", ended.said);
    assert!(
        ended
            .said
            .starts_with("stage network: waited 12 s for the address of cache.nixos.org\n"),
        "{}",
        ended.said
    );
    for known in [
        "told by ip -brief address\n",
        "told by ip route\n",
        "ens3:ethernet:connecting (getting IP configuration)",
        "dhcp4 (ens3): request timed out\n",
    ] {
        assert!(ended.said.contains(known), "{}", ended.said);
    }
}

const EMERGENCY: &str = "You are in emergency mode. After logging in, type \"journalctl -xb\" to view\\n\
system logs, \"systemctl reboot\" to reboot, or \"exit\"\\nto continue bootup.\\n\\n";

#[test]
fn emergency_mode_is_told_at_once_with_what_failed() {
    let machine = Machine::new(
        &format!("{EMERGENCY}Press Enter for maintenance\\n(or press Control-D to continue): "),
        r#"
read -r _
printf 'sh-5.3# '
read -r asked
case $asked in *systemctl*journalctl*) echo 'sysroot-iso.mount loaded failed failed /sysroot/iso' ;; esac
echo 'Timed out waiting for device /dev/disk/by-label/nixos-minimal-26.05-x86_64.'
echo HWTOLD
read -r _"#,
        &[],
    );
    let (ended, _) = Script::start_online("1", &[&machine.qemu()]).end();
    assert_eq!(ended.code, Some(11), "{}", ended.said);
    assert!(
        ended.said.starts_with(
            "stage shell: waited for the live user's shell prompt, ]$, but saw: You are in emergency mode"
        ),
        "{}",
        ended.said
    );
    for known in [
        "sysroot-iso.mount loaded failed",
        "Timed out waiting for device",
    ] {
        assert!(ended.said.contains(known), "{}", ended.said);
    }
}

#[test]
fn emergency_mode_of_a_locked_root_is_told_too() {
    let machine = Machine::new(
        &format!("{EMERGENCY}Cannot open access to console, the root account is locked.\\n"),
        "read -r _",
        &[],
    );
    let (ended, _) = Script::start_online("1", &[&machine.qemu()]).end();
    assert_eq!(ended.code, Some(11), "{}", ended.said);
    assert!(
        ended.said.contains("the root account is locked"),
        "{}",
        ended.said
    );
}
