//! What the first entry of a GRUB menu boots.

use anyhow::{Context, Result};

/// Paths are absolute in the volume, without doubled slashes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub kernel: String,
    pub initrd: String,
    pub arguments: String,
}

/// The first `menuentry` that has both a `linux` and an `initrd` line: the installer
/// as it comes. Words with a variable of GRUB's (`${isoboot}`) are left out.
pub(super) fn first_entry(menu: &str) -> Result<Entry> {
    let mut linux: Option<Vec<&str>> = None;
    for line in menu.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["menuentry", ..] => linux = None,
            ["linux" | "linuxefi", rest @ ..] => linux = Some(known(rest)),
            ["initrd" | "initrdefi", rest @ ..] => {
                if let Some([kernel, arguments @ ..]) = linux.as_deref()
                    && let [initrd, ..] = known(rest).as_slice()
                {
                    return Ok(Entry {
                        kernel: path(kernel),
                        initrd: path(initrd),
                        arguments: arguments.join(" "),
                    });
                }
            }
            _ => {}
        }
    }
    None.context("no menuentry has a linux and an initrd line")
}

fn known<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words
        .iter()
        .copied()
        .filter(|word| !word.contains('$'))
        .collect()
}

/// `(root)/boot//nix` and `/boot//nix` both mean `/boot/nix`.
fn path(word: &str) -> String {
    let word = word.split_once(')').map_or(word, |(_, path)| path);
    let parts: Vec<&str> = word.split('/').filter(|part| !part.is_empty()).collect();
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As nixpkgs' iso-image.nix of August 2024 writes it, shortened.
    const OLD: &str = r#"
set textmode=false
set timeout=10
clear
echo "Press 't' to use the text boot menu on this console..."
search --set=root --file /EFI/nixos-installer-image
hiddenentry 'Text mode' --hotkey 't' {
  loadfont ($root)/EFI/boot/unicode.pf2
  set textmode=true
}
if [ ${iso_path} ] ; then
  set isoboot="findiso=${iso_path}"
fi
menuentry 'NixOS 24.11 Installer '  --class installer {
  # Fallback to UEFI console for boot, efifb sometimes has difficulties.
  terminal_output console

  linux /boot/bzImage ${isoboot} init=/nix/store/aaaa-nixos-system-nixos-24.11/init  root=LABEL=nixos-minimal-24.11-x86_64 boot.shell_on_fail loglevel=4
  initrd /boot/initrd
}
menuentry 'NixOS 24.11 Installer (nomodeset)'  --class nomodeset {
  linux /boot/bzImage ${isoboot} init=/nix/store/aaaa-nixos-system-nixos-24.11/init  root=LABEL=nixos-minimal-24.11-x86_64 boot.shell_on_fail loglevel=4 nomodeset
  initrd /boot/initrd
}
"#;

    /// As NixOS 26.05 has it, shortened: store paths below /boot, a submenu for each choice.
    const NEW: &str = r#"
menuentry 'NixOS 26.05 Installer '  --class installer {
  # Fallback to UEFI console for boot, efifb sometimes has difficulties.
  terminal_output console

  linux /boot//nix/store/bbbb-linux-6.18/bzImage ${isoboot} init=/nix/store/cccc-nixos-system-nixos-26.05/init  root=fstab loglevel=4 lsm=landlock,yama,bpf
  initrd /boot//nix/store/dddd-initrd-linux-6.18/initrd
}
submenu "Options" --class submenu {
  menuentry 'other' { linux /other; }
}
"#;

    #[test]
    fn the_menu_of_august_2024() {
        assert_eq!(
            first_entry(OLD).unwrap(),
            Entry {
                kernel: "/boot/bzImage".into(),
                initrd: "/boot/initrd".into(),
                arguments: "init=/nix/store/aaaa-nixos-system-nixos-24.11/init \
                            root=LABEL=nixos-minimal-24.11-x86_64 boot.shell_on_fail loglevel=4"
                    .into(),
            }
        );
    }

    #[test]
    fn the_menu_of_26_05_with_store_paths() {
        assert_eq!(
            first_entry(NEW).unwrap(),
            Entry {
                kernel: "/boot/nix/store/bbbb-linux-6.18/bzImage".into(),
                initrd: "/boot/nix/store/dddd-initrd-linux-6.18/initrd".into(),
                arguments: "init=/nix/store/cccc-nixos-system-nixos-26.05/init \
                            root=fstab loglevel=4 lsm=landlock,yama,bpf"
                    .into(),
            }
        );
    }

    #[test]
    fn another_kernel_name_and_a_device_in_the_path() {
        let entry = first_entry(&NEW.replace("/bzImage", "/Image").replace(
            "initrd /boot//nix",
            "initrd ($root)/skipped ($drive)/skipped (cd0)/boot//nix",
        ))
        .unwrap();
        assert_eq!(entry.kernel, "/boot/nix/store/bbbb-linux-6.18/Image");
        assert_eq!(
            entry.initrd,
            "/boot/nix/store/dddd-initrd-linux-6.18/initrd"
        );
    }

    #[test]
    fn an_entry_that_boots_no_linux_is_passed_over() {
        let menu = format!("menuentry 'Shutdown' {{\n  halt\n}}\n{OLD}");
        assert_eq!(first_entry(&menu).unwrap(), first_entry(OLD).unwrap());
    }

    #[test]
    fn a_menu_without_linux() {
        let error = first_entry("menuentry 'Firmware' {\n  fwsetup\n}\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "no menuentry has a linux and an initrd line"
        );
    }
}
