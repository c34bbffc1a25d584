//! Where a cluster keeps its things: one place that knows every path.
//!
//! `cluster.json` and `hosts/` are for people and for git; `.hardway/` holds what
//! is secret or large; sockets live in a private runtime folder, since a Unix
//! socket's path may be at most 104 bytes long on macOS.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::exposure;
use crate::report::WithHint;

/// The paths of one cluster.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The folder with cluster.json, absolute.
    pub dir: PathBuf,
}

impl Paths {
    /// The state folder's name.
    pub const STATE: &'static str = ".hardway";

    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    pub fn cluster_json(&self) -> PathBuf {
        self.dir.join("cluster.json")
    }

    pub fn cluster_env(&self) -> PathBuf {
        self.dir.join("cluster.env")
    }

    /// Which medium the cluster is installed from; committed, like cluster.json.
    pub fn medium_lock(&self) -> PathBuf {
        self.dir.join("medium.lock.json")
    }

    pub fn hosts(&self) -> PathBuf {
        self.dir.join("hosts")
    }

    pub fn state(&self) -> PathBuf {
        self.dir.join(Self::STATE)
    }

    pub fn pki(&self) -> PathBuf {
        self.state().join("pki")
    }

    /// Keys whose certificates are still to be signed elsewhere, and the requests for them.
    pub fn requests(&self) -> PathBuf {
        self.state().join("requests")
    }

    /// The certificate that binds the first roles, where it was signed elsewhere.
    pub fn bootstrap(&self) -> PathBuf {
        self.requests().join("bootstrap.pem")
    }

    /// What `hardway ssh` tells ssh; the keys are with the others.
    pub fn ssh(&self) -> PathBuf {
        self.state().join("ssh")
    }

    pub fn ssh_config(&self) -> PathBuf {
        self.ssh().join("config")
    }

    pub fn ssh_known_hosts(&self) -> PathBuf {
        self.ssh().join("known_hosts")
    }

    /// Keys as nixos-anywhere copies them to new machines, a folder a node.
    pub fn extra_files(&self) -> PathBuf {
        self.state().join("extra-files")
    }

    /// The administrator's kubeconfig, for use on the host.
    pub fn kubeconfig(&self) -> PathBuf {
        self.state().join("kubeconfig")
    }

    /// The kubeconfig that may do everything, where someone has asked for it.
    pub fn break_glass(&self) -> PathBuf {
        self.state().join("break-glass.kubeconfig")
    }

    pub fn lock(&self) -> PathBuf {
        self.state().join("lock")
    }

    /// What is pinned for the cluster's life: architecture, machine type, QEMU, accelerator.
    pub fn machine_json(&self) -> PathBuf {
        self.state().join("machine.json")
    }

    /// What snapshots of the cluster there are; their bytes are in the nodes' disks.
    pub fn snapshots(&self) -> PathBuf {
        self.state().join("snapshots")
    }

    /// The base images that nodes' disks are overlays on, and what each was made of.
    pub fn bases(&self) -> PathBuf {
        self.state().join("base")
    }

    pub fn base(&self, name: &str) -> PathBuf {
        self.bases().join(format!("{name}.qcow2"))
    }

    /// Written last by a whole installation of a base.
    pub fn base_record(&self, name: &str) -> PathBuf {
        self.bases().join(format!("{name}.json"))
    }

    /// The machine that a base is installed in.
    pub fn base_in_making(&self) -> NodePaths {
        NodePaths {
            dir: self.bases().join("unfinished"),
        }
    }

    /// Of the machine `name`, which is its node's name.
    pub fn node(&self, name: impl AsRef<str>) -> NodePaths {
        NodePaths {
            dir: self.state().join("nodes").join(name.as_ref()),
        }
    }

    /// The folder for sockets; not created (see [`Paths::create_runtime`]).
    pub fn runtime(&self) -> PathBuf {
        let digest = Sha256::digest(self.state().as_os_str().as_encoded_bytes());
        let tag = hex::encode(&digest[..4]);
        match std::env::var_os("XDG_RUNTIME_DIR") {
            Some(dir) if Path::new(&dir).is_absolute() && dir.len() <= 48 => {
                PathBuf::from(dir).join(format!("hardway-{tag}"))
            }
            _ => PathBuf::from(format!(
                "/tmp/hardway-{}-{tag}",
                rustix::process::getuid().as_raw()
            )),
        }
    }

    /// Creates the state folder (0700). Fails where it is new and Nix or git would copy
    /// what is in it.
    pub fn create_state(&self) -> Result<()> {
        if !self.state().is_dir() {
            exposure::refuse(&self.state())?;
        }
        private_folder(&self.state())
    }

    /// Creates the runtime folder (0700), or accepts it if it is ours and private.
    pub fn create_runtime(&self) -> Result<PathBuf> {
        let dir = self.runtime();
        private_folder(&dir)?;
        let found = fs::symlink_metadata(&dir)
            .with_context(|| format!("cannot look at {}", dir.display()))?;
        if !found.is_dir()
            || found.uid() != rustix::process::getuid().as_raw()
            || found.mode() & 0o077 != 0
        {
            bail!("{} is not a private folder of this user", dir.display());
        }
        Ok(dir)
    }
}

/// The paths of one machine, below `.hardway/nodes/<node>/`.
#[derive(Debug, Clone)]
pub struct NodePaths {
    pub dir: PathBuf,
}

impl NodePaths {
    pub fn create(&self) -> Result<()> {
        private_folder(&self.dir)
    }

    pub fn disk(&self) -> PathBuf {
        self.dir.join("disk.qcow2")
    }

    /// The UEFI variables: qcow2, since a raw writable pflash can't be in a snapshot.
    pub fn firmware_variables(&self) -> PathBuf {
        self.dir.join("vars.qcow2")
    }

    /// The machine's command line, as a person can run it by hand.
    pub fn argv(&self) -> PathBuf {
        self.dir.join("argv")
    }

    /// Process id and start time of the running QEMU.
    pub fn pid(&self) -> PathBuf {
        self.dir.join("pid.json")
    }

    /// Process id of the running QEMU, in QEMU's own file.
    pub fn qemu_pid(&self) -> PathBuf {
        self.dir.join("qemu.pid")
    }

    /// QEMU's name for its two FIFOs, which end in `.in` and `.out`: QMP that stays when the
    /// runtime folder with the sockets is cleaned away.
    pub fn fifo(&self) -> PathBuf {
        self.dir.join("qmp")
    }

    /// From which QEMU reads commands.
    pub fn fifo_in(&self) -> PathBuf {
        self.dir.join("qmp.in")
    }

    /// Into which QEMU writes its answers.
    pub fn fifo_out(&self) -> PathBuf {
        self.dir.join("qmp.out")
    }

    pub fn serial_log(&self) -> PathBuf {
        self.dir.join("serial.log")
    }

    pub fn install_log(&self) -> PathBuf {
        self.dir.join("install.log")
    }

    pub fn qemu_log(&self) -> PathBuf {
        self.dir.join("qemu.log")
    }

    /// Written last by a whole installation: what was installed.
    pub fn installed(&self) -> PathBuf {
        self.dir.join("installed.json")
    }
}

/// Makes `dir` and its parents; `dir` itself with mode 0700 when it is new.
pub fn private_folder(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make the folder {}", dir.display()))
        .hint(format!(
            "check who owns {} and whether its file system is writable",
            dir.parent().unwrap_or(dir).display()
        ))
}

/// hardway's folder in the user's cache; None for a user without a home.
pub fn cache_folder() -> Option<PathBuf> {
    let usual = if cfg!(target_os = "macos") {
        "Library/Caches"
    } else {
        ".cache"
    };
    std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(usual)))
        .map(|cache| cache.join("hardway"))
}
