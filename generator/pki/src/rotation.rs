//! Replacing an authority, in an order in which nobody is ever shown a certificate that
//! they don't trust: everyone trusts both; everything is issued anew under the new one;
//! nobody trusts the old one any more (Kubernetes documentation, "Manual Rotation of CA
//! Certificates").
//!
//! Between two steps every machine has to have what the step made. Which step it is, is
//! written down beside the keys before anything is done, and each can be done again: a
//! run that is killed at any moment is finished by the next.

use std::fs;
use std::io::ErrorKind;

use anyhow::{Context, Result, anyhow};
use rcgen::PublicKeyData;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::asked::Asked;
use super::ensure;
use super::found::{certificate_pem, two_certificates};
use super::key::Key;
use super::store::Store;
use super::uses::{Readers, Use};
use common::report::{Hint, WithHint};
use common::state::Paths;
use model::plan::{Authority, Plan, SIGNING};

/// Goes with the keys into a snapshot's copy of them.
const RECORD: &str = "rotation.json";

/// A step of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    TrustBoth,
    Reissue,
    TrustNew,
}

impl Step {
    pub const ALL: [Step; 3] = [Step::TrustBoth, Step::Reissue, Step::TrustNew];

    /// What it is, for people.
    pub fn title(self) -> &'static str {
        match self {
            Step::TrustBoth => "trust both: the old authority, which signs, and a new one",
            Step::Reissue => "issue anew: the new authority signs everything, both are trusted",
            Step::TrustNew => "trust the new one alone",
        }
    }

    /// Counted from 1.
    pub fn number(self) -> usize {
        self as usize + 1
    }

    pub fn next(self) -> Option<Self> {
        Self::ALL.get(self as usize + 1).copied()
    }
}

/// A rotation that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    pub authority: Authority,
    pub step: Step,
}

impl Rotation {
    /// The one that is under way, if any.
    pub fn read(paths: &Paths) -> Result<Option<Self>> {
        read(&Store::of(paths))
    }

    /// Writes down that this step is next, before anything of it is done.
    pub fn note(&self, paths: &Paths) -> Result<()> {
        let (store, _) = Store::create(paths)?;
        store.write(RECORD, serde_json::to_string(self)? + "\n")
    }

    /// It is over.
    pub fn forget(paths: &Paths) -> Result<()> {
        let path = Store::of(paths).path(RECORD);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Does what the step is, or what is left of it. What it changes is in the state folder
    /// alone: [`changes`].
    pub fn carry_out(&self, plan: &Plan, paths: &Paths) -> Result<()> {
        let asked = Asked::read(plan, &paths.hosts().join("pki"))?;
        let store = Store::of(paths);
        let files = Files::of(self.authority);
        match self.step {
            Step::TrustBoth => files.add(&store, &asked, self.authority)?,
            Step::Reissue => files.swap(&store)?,
            Step::TrustNew => files.drop_old(&store)?,
        }
        ensure(plan, &asked, paths).map(drop)
    }

    /// Every file that the step changes, below .hardway/pki, and who has to start again to
    /// see it.
    pub fn changes(&self, plan: &Plan) -> (Vec<String>, Vec<Use>) {
        let stem = self.authority.stem();
        let mut files = vec![format!("{stem}.pem")];
        let signed = |name: &str| {
            let mut leaves = plan.certificates.iter();
            leaves.any(|leaf| leaf.name == name && leaf.authority == self.authority)
        };
        let kubeconfigs = plan
            .kubeconfigs
            .iter()
            .filter(|config| signed(&config.certificate));
        files.extend(kubeconfigs.map(|config| format!("{}.kubeconfig", config.name)));
        if self.step == Step::Reissue {
            files.push(format!("{stem}-key.pem"));
            if self.authority == Authority::Cluster {
                files.push(SIGNING.to_owned());
            }
            let leaves = plan
                .certificates
                .iter()
                .filter(|leaf| leaf.authority == self.authority);
            files.extend(
                leaves.flat_map(|leaf| ["", "-key"].map(|end| format!("{}{end}.pem", leaf.name))),
            );
        }
        files.sort();
        let used = Readers::of(plan).read(&files);
        (files, used)
    }
}

/// The authority of this name.
pub fn authority_named(name: &str) -> Result<Authority> {
    let found = Authority::ALL.into_iter().find(|one| one.stem() == name);
    found.ok_or_else(|| {
        let names = Authority::ALL.map(Authority::stem).join(", ");
        anyhow!("there is no authority {name:?}").context(Hint(format!("there are {names}")))
    })
}

fn read(store: &Store) -> Result<Option<Rotation>> {
    let Some(text) = store.read(RECORD)? else {
        return Ok(None);
    };
    let rotation = serde_json::from_slice(&text)
        .map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("cannot read {}", store.path(RECORD).display()))
        .hint(
            "it says which authority is being replaced, and at which step, as in \
             {\"authority\":\"ca\",\"step\":\"trust-both\"}; restore it from a copy",
        )?;
    Ok(Some(rotation))
}

/// Whether this authority is being replaced.
pub(super) fn of(store: &Store, authority: Authority) -> Result<bool> {
    Ok(read(store)?.is_some_and(|rotation| rotation.authority == authority))
}

/// An authority's files; the key of the one to come has a name of its own until it signs.
struct Files {
    certificate: String,
    key: String,
    next_key: String,
}

impl Files {
    fn of(authority: Authority) -> Self {
        let stem = authority.stem();
        Self {
            certificate: format!("{stem}.pem"),
            key: format!("{stem}-key.pem"),
            next_key: format!("{stem}-next-key.pem"),
        }
    }

    /// A new key and certificate, which is trusted from now on. The key is written first:
    /// alone, it is left from a run that was cut short.
    fn add(&self, store: &Store, asked: &Asked, authority: Authority) -> Result<()> {
        let bytes = store.need(&self.certificate)?;
        let (signing, other) = two_certificates(&bytes)
            .with_context(|| format!("cannot use {}", store.path(&self.certificate).display()))?;
        if other.is_some() {
            return Ok(());
        }
        let wanted = asked.authority(authority);
        let key = match store.read(&self.next_key)? {
            Some(pem) => Key::from_pem(&pem)
                .with_context(|| format!("cannot use {}", store.path(&self.next_key).display()))
                .hint(format!(
                    "remove it: rm {}",
                    store.path(&self.next_key).display()
                ))?,
            None => {
                let key = Key::generate(wanted.algorithm)?;
                store.write(&self.next_key, key.pem().as_bytes())?;
                key
            }
        };
        let added = wanted.self_signed(&key, OffsetDateTime::now_utc())?;
        store.write(&self.certificate, joined(signing, added.as_bytes()))
    }

    /// The new one signs from now on. Its key takes the old one's name last, in one step.
    fn swap(&self, store: &Store) -> Result<()> {
        let Some(pem) = store.read(&self.next_key)? else {
            return Ok(());
        };
        let key = Key::from_pem(&pem)
            .with_context(|| format!("cannot use {}", store.path(&self.next_key).display()))?;
        let bytes = store.need(&self.certificate)?;
        let (signing, other) = two_certificates(&bytes)
            .with_context(|| format!("cannot use {}", store.path(&self.certificate).display()))?;
        let first = certificate_pem(signing)?;
        if first.parse_x509()?.public_key().raw != key.subject_public_key_info() {
            let other = other.with_context(|| {
                let path = store.path(&self.certificate);
                format!("{} has no certificate of the new key", path.display())
            })?;
            store.write(&self.certificate, joined(other, signing))?;
        }
        let (from, to) = (store.path(&self.next_key), store.path(&self.key));
        fs::rename(&from, &to)
            .with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))
    }

    fn drop_old(&self, store: &Store) -> Result<()> {
        let bytes = store.need(&self.certificate)?;
        let (signing, other) = two_certificates(&bytes)?;
        match other {
            Some(_) => store.write(&self.certificate, joined(signing, b"")),
            None => Ok(()),
        }
    }
}

/// Two PEM texts, one after the other, each ended by a line's end.
fn joined(first: &[u8], second: &[u8]) -> Vec<u8> {
    let mut text = first.trim_ascii().to_vec();
    text.push(b'\n');
    if !second.is_empty() {
        text.extend(second.trim_ascii());
        text.push(b'\n');
    }
    text
}
