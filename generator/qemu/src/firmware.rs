//! Finds UEFI firmware: QEMU's own descriptors first, then where Debian, Nix and
//! Homebrew keep it. A folder named by HARDWAY_FIRMWARE comes before all of them.
//!
//! Descriptors: QEMU's docs/interop/firmware.json. A file of the same name in an
//! earlier folder hides one in a later folder; files are tried in order of their names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Arch;
use common::report::WithHint;

/// A firmware's code, and the template of its variables. Both are raw images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firmware {
    pub code: PathBuf,
    pub variables: PathBuf,
}

impl Firmware {
    /// The firmware for `arch` that fits the QEMU at `qemu`.
    pub fn find(arch: Arch, qemu: &Path) -> Result<Self> {
        let shares = shares(qemu);
        let mut folders = Vec::new();
        let named = std::env::var_os("HARDWAY_FIRMWARE").map(PathBuf::from);
        if let Some(found) = named.as_deref().map(|folder| named_folder(arch, folder)) {
            return found;
        }
        if let Some(config) = config_home() {
            folders.push(config.join("qemu/firmware"));
        }
        folders.push("/etc/qemu/firmware".into());
        folders.extend(shares.iter().map(|share| share.join("qemu/firmware")));
        if let Some(found) = described(arch, &folders) {
            return Ok(found);
        }
        let candidates = known(arch, &shares);
        if let Some(found) = candidates.iter().find(|one| one.exists()) {
            return Ok(found.clone());
        }
        let looked: Vec<String> = folders
            .iter()
            .map(|folder| format!("descriptors in {}", folder.display()))
            .chain(candidates.iter().map(|one| one.code.display().to_string()))
            .collect();
        let package = match arch {
            Arch::X86_64 => "ovmf",
            Arch::Aarch64 => "qemu-efi-aarch64",
        };
        Err(anyhow!(
            "no UEFI firmware for {arch} (looked for {})",
            looked.join(", ")
        ))
        .hint(format!(
            "Debian: apt install {package}; Nix and Homebrew: QEMU brings its own (nix profile install nixpkgs#qemu; brew install qemu)"
        ))
    }

    pub(super) fn exists(&self) -> bool {
        self.code.is_file() && self.variables.is_file()
    }
}

/// What HARDWAY_FIRMWARE names: a folder of descriptors, or of the images themselves
/// under a name that distributions give them.
fn named_folder(arch: Arch, folder: &Path) -> Result<Firmware> {
    let beside = |path: &Path| folder.join(path.file_name().unwrap_or_default());
    described(arch, &[folder.to_path_buf()])
        .or_else(|| {
            known(arch, &[PathBuf::new()])
                .iter()
                .map(|one| Firmware {
                    code: beside(&one.code),
                    variables: beside(&one.variables),
                })
                .find(Firmware::exists)
        })
        .ok_or_else(|| {
            anyhow!(
                "no UEFI firmware for {arch} in {}, which HARDWAY_FIRMWARE names",
                folder.display()
            )
        })
        .hint("unset HARDWAY_FIRMWARE, or name a folder with QEMU's firmware descriptors or with OVMF_CODE.fd and OVMF_VARS.fd (AAVMF_… for aarch64)")
}

fn config_home() -> Option<PathBuf> {
    std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".config")))
}

/// The `share` folders beside this QEMU: as it is called, and where its links lead
/// (a Nix profile's, a Homebrew cellar's), then the distribution's.
fn shares(qemu: &Path) -> Vec<PathBuf> {
    let real = fs::canonicalize(qemu).unwrap_or_else(|_| qemu.to_path_buf());
    let mut shares: Vec<PathBuf> = [real.as_path(), qemu]
        .iter()
        .filter_map(|path| path.parent()?.parent())
        .map(|prefix| prefix.join("share"))
        .collect();
    shares.push("/usr/share".into());
    shares.push("/opt/homebrew/share".into());
    shares.push("/usr/local/share".into());
    let mut seen = Vec::new();
    shares.retain(|share| {
        let new = !seen.contains(share);
        seen.push(share.clone());
        new
    });
    shares
}

/// The first descriptor, by file name, of plain UEFI for `arch`.
fn described(arch: Arch, folders: &[PathBuf]) -> Option<Firmware> {
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    for folder in folders {
        let Ok(entries) = fs::read_dir(folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".json") {
                files.entry(name).or_insert_with(|| entry.path());
            }
        }
    }
    files
        .values()
        .find_map(|file| descriptor(arch, &fs::read_to_string(file).ok()?))
}

/// What one descriptor offers, if it fits: UEFI in flash, for this machine,
/// without Secure Boot.
fn descriptor(arch: Arch, text: &str) -> Option<Firmware> {
    let value: Value = serde_json::from_str(text).ok()?;
    let words = |pointer: &str| -> Vec<String> {
        let found = value.pointer(pointer).and_then(Value::as_array);
        found
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(ToOwned::to_owned)
            .collect()
    };
    let fits = value.pointer("/targets")?.as_array()?.iter().any(|target| {
        target["architecture"] == arch.as_str()
            && target["machines"].as_array().is_some_and(|machines| {
                machines.iter().filter_map(Value::as_str).any(|machine| {
                    let (_, family) = machine.split_once('-').unwrap_or(("", machine));
                    let family = if arch == Arch::X86_64 {
                        family
                    } else {
                        machine
                    };
                    family.starts_with(arch.machine())
                })
            })
    });
    let features = words("/features");
    // Features are what the firmware can do (amd-sev) or what it insists on; these
    // insist: on SMM, and on a boot loader that someone has signed.
    let refused = ["requires-smm", "secure-boot", "enrolled-keys"];
    if !fits
        || !words("/interface-types").iter().any(|kind| kind == "uefi")
        || refused
            .iter()
            .any(|feature| features.iter().any(|has| has == feature))
    {
        return None;
    }
    let mapping = value.get("mapping")?;
    if mapping["device"] != "flash" || mapping["executable"]["format"] != "raw" {
        return None;
    }
    let firmware = Firmware {
        code: mapping["executable"]["filename"].as_str()?.into(),
        variables: mapping["nvram-template"]["filename"].as_str()?.into(),
    };
    firmware.exists().then_some(firmware)
}

/// Where distributions keep it when no descriptor says so.
fn known(arch: Arch, shares: &[PathBuf]) -> Vec<Firmware> {
    let pairs: &[(&str, &str)] = match arch {
        Arch::X86_64 => &[
            ("OVMF/OVMF_CODE_4M.fd", "OVMF/OVMF_VARS_4M.fd"),
            ("OVMF/OVMF_CODE.fd", "OVMF/OVMF_VARS.fd"),
            ("qemu/edk2-x86_64-code.fd", "qemu/edk2-i386-vars.fd"),
        ],
        Arch::Aarch64 => &[
            ("AAVMF/AAVMF_CODE.fd", "AAVMF/AAVMF_VARS.fd"),
            ("qemu/edk2-aarch64-code.fd", "qemu/edk2-arm-vars.fd"),
        ],
    };
    shares
        .iter()
        .flat_map(|share| {
            pairs.iter().map(|(code, variables)| Firmware {
                code: share.join(code),
                variables: share.join(variables),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn describe(folder: &Path, file: &str, features: &[&str], machines: &[&str]) -> Firmware {
        let firmware = Firmware {
            code: folder.join(format!("{file}-code.fd")),
            variables: folder.join(format!("{file}-vars.fd")),
        };
        fs::write(&firmware.code, "").unwrap();
        fs::write(&firmware.variables, "").unwrap();
        let text = json!({
            "interface-types": ["uefi"],
            "mapping": {
                "device": "flash",
                "executable": { "filename": firmware.code, "format": "raw" },
                "nvram-template": { "filename": firmware.variables, "format": "raw" },
            },
            "targets": [{ "architecture": "x86_64", "machines": machines }],
            "features": features,
        });
        fs::write(folder.join(file), text.to_string()).unwrap();
        firmware
    }

    #[test]
    fn takes_the_first_plain_descriptor_of_the_right_machine() {
        let folder = tempfile::tempdir().unwrap();
        let all = [folder.path().to_path_buf()];
        describe(
            folder.path(),
            "40-secure.json",
            &["requires-smm", "secure-boot"],
            &["pc-q35-*"],
        );
        describe(
            folder.path(),
            "45-enrolled.json",
            &["enrolled-keys"],
            &["pc-q35-*"],
        );
        describe(folder.path(), "50-other.json", &[], &["microvm"]);
        assert_eq!(described(Arch::X86_64, &all), None);
        let plain = describe(
            folder.path(),
            "60-plain.json",
            &["acpi-s3", "amd-sev"],
            &["pc-i440fx-*", "pc-q35-*"],
        );
        describe(folder.path(), "70-later.json", &[], &["pc-q35-*"]);
        assert_eq!(described(Arch::X86_64, &all), Some(plain));
        assert_eq!(described(Arch::Aarch64, &all), None);
    }

    #[test]
    fn a_named_folder_has_descriptors_or_images() {
        let folder = tempfile::tempdir().unwrap();
        let code = folder.path().join("OVMF_CODE.fd");
        fs::write(&code, "").unwrap();
        let error = named_folder(Arch::X86_64, folder.path()).unwrap_err();
        assert!(error.to_string().contains("HARDWAY_FIRMWARE"), "{error}");
        let variables = folder.path().join("OVMF_VARS.fd");
        fs::write(&variables, "").unwrap();
        let images = Firmware { code, variables };
        assert_eq!(named_folder(Arch::X86_64, folder.path()).unwrap(), images);
        assert!(named_folder(Arch::Aarch64, folder.path()).is_err());
        let plain = describe(folder.path(), "60-plain.json", &[], &["pc-q35-*"]);
        assert_eq!(named_folder(Arch::X86_64, folder.path()).unwrap(), plain);
    }

    #[test]
    fn a_file_of_an_earlier_folder_hides_one_of_the_same_name() {
        let (mine, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let wanted = describe(mine.path(), "60-plain.json", &[], &["pc-q35-*"]);
        describe(theirs.path(), "60-plain.json", &[], &["pc-q35-*"]);
        let folders = [mine.path().to_path_buf(), theirs.path().to_path_buf()];
        assert_eq!(described(Arch::X86_64, &folders), Some(wanted));
    }
}
