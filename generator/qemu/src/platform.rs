//! What a running guest's memory depends on: another QEMU, processor or firmware
//! would go on with it wrongly, or not at all.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Accelerator, Host};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Platform {
    /// QEMU's version.
    pub qemu: String,
    pub accelerator: Accelerator,
    /// QEMU's model of the guests' processor; where that is the host's own, its name too.
    pub cpu: String,
    /// The versioned machine type.
    pub machine: String,
    pub firmware_sha256: String,
}

impl Platform {
    pub fn of(host: &Host) -> Result<Self> {
        let model = host.arch.cpu(host.accelerator);
        let code = &host.firmware.code;
        let bytes = std::fs::read(code)
            .with_context(|| format!("cannot read the firmware {}", code.display()))?;
        Ok(Self {
            qemu: host.version.clone(),
            accelerator: host.accelerator,
            cpu: match host.accelerator {
                Accelerator::Tcg => model.to_owned(),
                Accelerator::Kvm | Accelerator::Hvf => format!("{model} ({})", processor()),
            },
            machine: host.machine.clone(),
            firmware_sha256: hex::encode(Sha256::digest(&bytes)),
        })
    }

    /// What differs between `then` and this one, a text each.
    pub fn differences(&self, then: &Self) -> Vec<String> {
        let differs = |what: &str, then: &str, now: &str| {
            (then != now).then(|| format!("{what} was {then} and is {now}"))
        };
        [
            differs("QEMU", &then.qemu, &self.qemu),
            differs(
                "the accelerator",
                then.accelerator.as_str(),
                self.accelerator.as_str(),
            ),
            differs("the guests' processor", &then.cpu, &self.cpu),
            differs("the machine type", &then.machine, &self.machine),
            (then.firmware_sha256 != self.firmware_sha256)
                .then(|| "the firmware is another file".to_owned()),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The name of the host's processor.
fn processor() -> String {
    let found = if cfg!(target_os = "macos") {
        super::tool::ask(
            Path::new("/usr/sbin/sysctl"),
            ["-n", "machdep.cpu.brand_string"],
        )
        .ok()
    } else {
        std::fs::read_to_string("/proc/cpuinfo")
            .ok()
            .and_then(|text| {
                let line = text.lines().find(|line| line.starts_with("model name"))?;
                Some(line.split_once(':')?.1.to_owned())
            })
    };
    found.map_or_else(
        || std::env::consts::ARCH.to_owned(),
        |name| name.trim().to_owned(),
    )
}
