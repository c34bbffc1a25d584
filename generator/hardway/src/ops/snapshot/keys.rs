//! The PKI and the kubeconfig of a snapshot's time, kept beside its record: a later
//! `generate` may have replaced what the machines' disks still depend on.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{Name, undo};
use crate::ops::lock;
use common::exposure;
use common::file;

use common::state::{Paths, private_folder};

/// The kubeconfig in the copy; no file of the PKI has this name.
const KUBECONFIG: &str = "admin@host.kubeconfig";

pub(super) fn folder(paths: &Paths, name: &Name) -> PathBuf {
    paths.snapshots().join(format!("{name}.pki"))
}

pub(super) fn keep(paths: &Paths, name: &Name) -> Result<()> {
    exposure::refuse(&paths.state())?;
    let copy = folder(paths, name);
    remove_folder(&copy)?;
    private_folder(&copy)?;
    copy_files(&paths.pki(), &copy)?;
    if paths.kubeconfig().is_file() {
        copy_file(&paths.kubeconfig(), &copy.join(KUBECONFIG))?;
    }
    Ok(())
}

/// Fails where nothing was kept.
pub(super) fn check(paths: &Paths, name: &Name) -> Result<()> {
    let copy = folder(paths, name);
    match copy.is_dir() {
        true => Ok(()),
        false => Err(anyhow!("there is no {}", copy.display())),
    }
}

/// Which of the certificates that the machines will have again are expired by now.
pub(super) fn expired(paths: &Paths, name: &Name, now: OffsetDateTime) -> Result<Vec<String>> {
    let all = pki::validities_in(&folder(paths, name))?;
    let late = all.into_iter().filter(|one| one.until <= now);
    Ok(late
        .map(|one| one.name.trim_end_matches(".pem").to_owned())
        .collect())
}

/// Puts what was kept in the place of what is there. Where that fails, what was there stays.
pub(super) fn bring_back(paths: &Paths, name: &Name) -> Result<()> {
    let swap = Swap::of(paths);
    swap.prepare(&folder(paths, name))?;
    swap.carry_out()
}

/// Puts `files` in the place of the whole PKI. Where that fails, what was there stays.
pub(in crate::ops) fn replace(paths: &Paths, files: &BTreeMap<String, pki::Bytes>) -> Result<()> {
    let swap = Swap::of(paths);
    swap.stage(|scrap| {
        files
            .iter()
            .try_for_each(|(name, bytes)| file::replace(&scrap.join(name), bytes, file::PRIVATE))
    })?;
    swap.carry_out()
}

/// Finishes what a restore that was killed has begun, for who needs no lock otherwise.
pub fn finish_restore(paths: &Paths) -> Result<()> {
    let swap = Swap::of(paths);
    match swap.under_way() || swap.old.is_dir() || undo::keys_are_due(paths) {
        true => lock::hold(paths, "generate", || Ok(())),
        false => Ok(()),
    }
}

/// Finishes what a run that was killed has begun. Whoever holds the lock does it first.
pub(in crate::ops) fn settle(paths: &Paths) -> Result<()> {
    Swap::of(paths)
        .finish()
        .context("cannot finish the change of keys that a killed restore began")
}

/// One PKI in the place of another. What is on disk says how far it is, so that another run
/// can go on from any moment: every step is one rename, or removes what nobody needs.
struct Swap {
    pki: PathBuf,
    kubeconfig: PathBuf,
    /// Not yet whole, or of no use any more.
    scrap: PathBuf,
    /// Whole, and to become the PKI.
    new: PathBuf,
    /// What was the PKI.
    old: PathBuf,
}

impl Swap {
    fn of(paths: &Paths) -> Self {
        let pki = paths.pki();
        Self {
            kubeconfig: paths.kubeconfig(),
            scrap: pki.with_extension("scrap"),
            new: pki.with_extension("new"),
            old: pki.with_extension("old"),
            pki,
        }
    }

    /// From its last rename on there is no way but forward.
    fn prepare(&self, copy: &Path) -> Result<()> {
        self.stage(|scrap| copy_files(copy, scrap))
    }

    fn stage(&self, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        remove_folder(&self.scrap)?;
        private_folder(&self.scrap)?;
        fill(&self.scrap)?;
        rename(&self.scrap, &self.new)
    }

    /// All steps; where one fails, back to what was.
    fn carry_out(&self) -> Result<()> {
        while self.under_way() {
            if let Err(error) = self.step() {
                self.undo()?;
                return Err(error);
            }
        }
        // What it leaves is removed by the next run, if not by this one.
        let _ = self.finish();
        Ok(())
    }

    /// The kubeconfig comes with the new PKI, and goes to its own place last.
    fn arrived(&self) -> PathBuf {
        self.pki.join(KUBECONFIG)
    }

    /// Whether anything still reads, or will read, the wrong one of the two.
    fn under_way(&self) -> bool {
        self.new.is_dir() || self.arrived().is_file()
    }

    /// The next step; false where none is left.
    fn step(&self) -> Result<bool> {
        if self.new.is_dir() {
            match (self.pki.is_dir(), self.old.is_dir()) {
                (false, _) => rename(&self.new, &self.pki)?,
                (true, true) => remove_folder(&self.old)?,
                (true, false) => rename(&self.pki, &self.old)?,
            }
        } else if self.arrived().is_file() {
            rename(&self.arrived(), &self.kubeconfig)?;
        } else if self.scrap.is_dir() {
            remove_folder(&self.scrap)?;
        } else if self.old.is_dir() {
            match self.pki.is_dir() {
                true => remove_folder(&self.old)?,
                false => rename(&self.old, &self.pki)?,
            }
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn finish(&self) -> Result<()> {
        while self.step()? {}
        Ok(())
    }

    /// Back to the PKI before, as long as a step is missing.
    fn undo(&self) -> Result<()> {
        if self.new.is_dir() {
            rename(&self.new, &self.scrap)?;
        } else if self.old.is_dir() {
            rename(&self.pki, &self.scrap)?;
        }
        if !self.pki.is_dir() && self.old.is_dir() {
            rename(&self.old, &self.pki)?;
        }
        remove_folder(&self.scrap)
    }
}

pub(super) fn remove(paths: &Paths, name: &Name) -> Result<()> {
    remove_folder(&folder(paths, name))
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    let cannot = || format!("cannot read {}", from.display());
    for entry in fs::read_dir(from).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        if entry.path().is_file() {
            copy_file(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    file::replace(to, &Zeroizing::new(bytes), file::PRIVATE)
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to)
        .with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))
}

fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};
    use time::Duration;

    /// A cluster's folder with today's keys, and a snapshot with another time's.
    fn cluster() -> (tempfile::TempDir, Paths, Name) {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path());
        let name: Name = "then".parse().unwrap();
        let write = |file: PathBuf, text: &str| {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write(paths.pki().join("ca.pem"), "then");
        write(paths.pki().join("node-key.pem"), "then");
        write(paths.kubeconfig(), "then");
        keep(&paths, &name).unwrap();
        fs::remove_dir_all(paths.pki()).unwrap();
        write(paths.pki().join("ca.pem"), "now");
        write(paths.pki().join("leaf.pem"), "now");
        write(paths.kubeconfig(), "now");
        (folder, paths, name)
    }

    /// Everything in the state folder but the snapshot.
    fn found(paths: &Paths) -> Vec<(String, String)> {
        let state = paths.state();
        let mut found: Vec<_> = walkdir::WalkDir::new(&state)
            .into_iter()
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().is_file())
            .filter(|entry| !entry.path().starts_with(paths.snapshots()))
            .map(|entry| {
                let path = entry.path().strip_prefix(&state).unwrap();
                let text = fs::read_to_string(entry.path()).unwrap();
                (path.to_str().unwrap().to_owned(), text)
            })
            .collect();
        found.sort();
        found
    }

    fn all(text: &str, files: [&str; 3]) -> Vec<(String, String)> {
        let files = files.map(|file| (file.to_owned(), text.to_owned()));
        files.into()
    }

    fn now() -> Vec<(String, String)> {
        all("now", ["kubeconfig", "pki/ca.pem", "pki/leaf.pem"])
    }

    fn then() -> Vec<(String, String)> {
        all("then", ["kubeconfig", "pki/ca.pem", "pki/node-key.pem"])
    }

    #[test]
    fn keys_and_kubeconfig_come_back_together() {
        let (_folder, paths, name) = cluster();
        bring_back(&paths, &name).unwrap();
        assert_eq!(found(&paths), then());
        // And again, from the same snapshot.
        bring_back(&paths, &name).unwrap();
        assert_eq!(found(&paths), then());
    }

    /// Killed after any step, the next run makes a whole of it: today's keys before the
    /// last file is copied, the snapshot's from there on.
    #[test]
    fn a_kill_at_any_moment_leaves_one_or_the_other() {
        let (_folder, paths, name) = cluster();
        let swap = Swap::of(&paths);
        private_folder(&swap.scrap).unwrap();
        copy_file(
            &folder(&paths, &name).join("ca.pem"),
            &swap.scrap.join("ca.pem"),
        )
        .unwrap();
        settle(&paths).unwrap();
        assert_eq!(found(&paths), now());

        let mut steps = 0;
        loop {
            let (_folder, paths, name) = cluster();
            let swap = Swap::of(&paths);
            // One of an earlier run, which was killed as it removed it.
            fs::create_dir(&swap.old).unwrap();
            swap.prepare(&folder(&paths, &name)).unwrap();
            let done = (0..steps).map(|_| swap.step().unwrap()).filter(|did| *did);
            let done = done.count();
            settle(&paths).unwrap();
            assert_eq!(found(&paths), then(), "after {steps} steps");
            assert!(!swap.old.exists() && !swap.new.exists() && !swap.scrap.exists());
            if done < steps {
                break;
            }
            steps += 1;
        }
        assert_eq!(steps, 6);
    }

    /// Whatever step fails, the machines go back to what they were, and so do the keys.
    #[test]
    fn what_was_there_stays_where_a_step_fails() {
        for steps in 0..3 {
            let (_folder, paths, name) = cluster();
            let swap = Swap::of(&paths);
            swap.prepare(&folder(&paths, &name)).unwrap();
            for _ in 0..steps {
                swap.step().unwrap();
            }
            assert!(swap.under_way());
            swap.undo().unwrap();
            assert_eq!(found(&paths), now(), "after {steps} steps");
        }
        let (_folder, paths, name) = cluster();
        fs::remove_file(paths.kubeconfig()).unwrap();
        fs::create_dir_all(paths.kubeconfig().join("in the way")).unwrap();
        let error = bring_back(&paths, &name).unwrap_err();
        assert!(
            format!("{error:#}").starts_with("cannot rename "),
            "{error:#}"
        );
        assert_eq!(found(&paths), now()[1..]);
    }

    #[test]
    fn what_has_expired_since_is_told_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let (paths, name) = (Paths::new(dir.path()), "friday".parse::<Name>().unwrap());
        let now = OffsetDateTime::now_utc();
        assert_eq!(expired(&paths, &name, now).unwrap(), [""; 0]);
        for (file, hours) in [("admin.pem", -1), ("ca.pem", 87_600), ("kubelet.pem", -800)] {
            let mut params = CertificateParams::default();
            params.not_after = now + Duration::hours(hours);
            let pem = params
                .self_signed(&KeyPair::generate().unwrap())
                .unwrap()
                .pem();
            file::replace(&folder(&paths, &name).join(file), pem.as_bytes(), 0o600).unwrap();
        }
        assert_eq!(expired(&paths, &name, now).unwrap(), ["admin", "kubelet"]);
    }
}
