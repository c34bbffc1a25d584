//! Taking over the PKI of a cluster that there is: its authorities and the key pair of
//! tokens, since everyone trusts those, and of its leaves those that are what would be
//! issued here. Everything is looked at before anything is written.

mod authority;
mod layout;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use rcgen::PublicKeyData;
use serde::Serialize;
use time::OffsetDateTime;
use x509_parser::pem::parse_x509_pem;

use self::authority::Problems;
use self::layout::{Layout, Pair};
use super::algorithm::Algorithm;
use super::asked::Asked;
use super::authority::Signer;
use super::found::matching;
use super::key::Key;
use super::read::read_file;
use super::service_account;
use super::show::chain;
use super::store::{Bytes, Store};
use common::report::{Hint, WithHint};
use common::state::Paths;
use model::plan::{Authority, Plan};

/// What is taken over, and what becomes of the rest.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    /// Whose names the files have.
    pub layout: &'static str,
    /// Authorities, leaves and the pair of service accounts, by the stems of their files.
    pub taken: Vec<String>,
    /// Authorities of which the certificate alone was taken: the key is elsewhere.
    pub without_key: Vec<&'static str>,
    /// What is not there, and is kept here as it is.
    pub kept: Vec<&'static str>,
    /// What is not there, and `generate` makes.
    pub made: Vec<&'static str>,
    /// Leaves that `generate` issues anew, and why.
    pub anew: BTreeMap<String, String>,
    /// Leaves that are to be signed where their authority's key is, and why.
    pub to_sign: BTreeMap<String, String>,
    /// What takes the place of another: whoever trusts the other has to be told.
    pub replaced: Vec<&'static str>,
    /// The whole PKI as it is to be: file name → bytes.
    #[serde(skip)]
    pub files: BTreeMap<String, Bytes>,
}

/// Looks at the PKI in `folder`. The error has everything that is wrong with it.
pub fn look(plan: &Plan, asked: &Asked, paths: &Paths, folder: &Path) -> Result<Imported> {
    let (store, now) = (Store::of(paths), OffsetDateTime::now_utc());
    let layout = Layout::of(folder)?;
    let mut problems = Problems::default();
    let mut found = Imported {
        layout: layout.name(),
        taken: Vec::new(),
        without_key: Vec::new(),
        kept: Vec::new(),
        made: Vec::new(),
        anew: BTreeMap::new(),
        to_sign: BTreeMap::new(),
        replaced: Vec::new(),
        files: BTreeMap::new(),
    };
    let mut signers = BTreeMap::new();
    for authority in Authority::ALL {
        let (stem, pair) = (authority.stem(), layout.authority(authority));
        let external = plan.external.contains(&authority);
        if !folder.join(&pair.certificate).exists() {
            if folder.join(&pair.key).exists() {
                problems.add(&pair.key, "its certificate is missing", None);
            }
            found.missing(&store, stem, external);
            continue;
        }
        let Some(signer) = authority::check(folder, &pair, authority, external, now, &mut problems)
        else {
            continue;
        };
        let file = format!("{stem}.pem");
        let text = signer.certificate_pem.clone().into_bytes();
        if store.read(&file)?.is_some_and(|before| *before != text) {
            found.replaced.push(stem);
        }
        found.files.insert(file, text.into());
        if external {
            found.without_key.push(stem);
        } else {
            found.taken.push(stem.to_owned());
            // A key that is not there is among the problems.
            if let Some(key) = read_file(&folder.join(&pair.key))? {
                found.files.insert(format!("{stem}-key.pem"), key);
            }
        }
        signers.insert(authority, signer);
    }
    found.service_accounts(folder, layout, &store, &mut problems)?;
    problems.none_in(folder)?;
    found.keep(plan, &store, &signers)?;
    found.leaves(plan, asked, folder, layout, &signers, now)?;
    found.taken.sort();
    Ok(found)
}

impl Imported {
    fn missing(&mut self, store: &Store, stem: &'static str, external: bool) {
        match store.path(&format!("{stem}.pem")).exists() || external {
            true => self.kept.push(stem),
            false => self.made.push(stem),
        }
    }

    fn service_accounts(
        &mut self,
        folder: &Path,
        layout: Layout,
        store: &Store,
        problems: &mut Problems,
    ) -> Result<()> {
        let pair = layout.service_accounts();
        let Some(key) = problems.key(folder, &pair.key) else {
            if !folder.join(&pair.key).exists() {
                self.missing(store, service_account::STEM, false);
            }
            return Ok(());
        };
        if key.algorithm_of() == Some(Algorithm::Ed25519) {
            problems.add(
                &pair.key,
                "it is ed25519, which Kubernetes does not take for tokens",
                None,
            );
        }
        if let Some(public) = problems.read(folder, &pair.certificate)
            && let Err(error) = check_public(&public, &key)
        {
            problems.add(&pair.certificate, chain(&error), None);
        }
        let private = key.pem();
        let before = store.read(service_account::PRIVATE)?;
        if let Some(before) = before.and_then(|pem| Key::from_pem(&pem).ok())
            && before.subject_public_key_info() != key.subject_public_key_info()
        {
            self.replaced.push(service_account::STEM);
        }
        self.taken.push(service_account::STEM.to_owned());
        self.files.insert(
            service_account::PRIVATE.to_owned(),
            private.as_bytes().to_vec().into(),
        );
        self.files.insert(
            service_account::PUBLIC.to_owned(),
            key.public_pem().into_bytes().into(),
        );
        Ok(())
    }

    /// What is here and stays: all but what the authorities that are replaced have signed.
    fn keep(
        &mut self,
        plan: &Plan,
        store: &Store,
        signers: &BTreeMap<Authority, Signer>,
    ) -> Result<()> {
        let leaf_goes = |name: &str| {
            plan.certificates.iter().any(|leaf| {
                let files = [
                    format!("{}.pem", leaf.name),
                    format!("{}-key.pem", leaf.name),
                ];
                self.replaced.contains(&leaf.authority.stem())
                    && files.iter().any(|one| one == name)
            })
        };
        let authority_goes = |name: &str| {
            signers.keys().any(|authority| {
                let rest = name.strip_prefix(authority.stem());
                rest.is_some_and(|rest| rest.starts_with(['.', '-']))
            })
        };
        let mut kept = BTreeMap::new();
        for name in names_in(store.folder())? {
            // `generate` writes kubeconfigs again, whatever is in them.
            if name.ends_with(".kubeconfig")
                || self.files.contains_key(&name)
                || leaf_goes(&name)
                || authority_goes(&name)
            {
                continue;
            }
            if let Some(bytes) = store.read(&name)? {
                kept.insert(name, bytes);
            }
        }
        self.files.append(&mut kept);
        Ok(())
    }

    fn leaves(
        &mut self,
        plan: &Plan,
        asked: &Asked,
        folder: &Path,
        layout: Layout,
        signers: &BTreeMap<Authority, Signer>,
        now: OffsetDateTime,
    ) -> Result<()> {
        for leaf in &plan.certificates {
            let wanted = asked.leaf(leaf)?;
            let look = |pair: &Pair| -> Result<[Bytes; 2]> {
                let signer = signers.get(&leaf.authority).with_context(|| {
                    format!("{} was not there to sign it", leaf.authority.stem())
                })?;
                let read = |name: &str| -> Result<Bytes> {
                    read_file(&folder.join(name))?.with_context(|| format!("there is no {name}"))
                };
                let (certificate, key) = (read(&pair.certificate)?, read(&pair.key)?);
                matching(&certificate, &key, wanted, signer, now)?;
                Ok([certificate, key])
            };
            let pairs = layout.leaf(&leaf.name);
            let there = pairs
                .iter()
                .find(|pair| folder.join(&pair.certificate).exists());
            let outcome = match there {
                None => Err(anyhow!("there is none")),
                Some(pair) => {
                    look(pair).map_err(|error| anyhow!("{}: {}", pair.certificate, chain(&error)))
                }
            };
            let file = format!("{}.pem", leaf.name);
            match outcome {
                Ok([certificate, key]) => {
                    self.taken.push(leaf.name.clone());
                    self.files.insert(file, certificate);
                    self.files.insert(format!("{}-key.pem", leaf.name), key);
                }
                // One that is here, and whose authority stays, is looked at by `generate`.
                Err(_) if self.files.contains_key(&file) => {}
                Err(reason) => {
                    let external = plan.external.contains(&leaf.authority);
                    let list = match external {
                        true => &mut self.to_sign,
                        false => &mut self.anew,
                    };
                    list.insert(leaf.name.clone(), reason.to_string());
                }
            }
        }
        Ok(())
    }
}

/// The public half of service accounts, beside the private one: a key, or a certificate
/// for it, as the tutorials have it.
fn check_public(public: &[u8], key: &Key) -> Result<()> {
    let (_, pem) = parse_x509_pem(public).context("it is not whole PEM")?;
    let own = key.subject_public_key_info();
    let same = match pem.label.as_str() {
        "PUBLIC KEY" => pem.contents == own,
        "CERTIFICATE" => pem.parse_x509()?.public_key().raw == own,
        label => bail!("it holds {label:?}, neither \"PUBLIC KEY\" nor \"CERTIFICATE\""),
    };
    ensure!(
        same,
        "it is not the public half of the private key beside it"
    );
    Ok(())
}

/// The files in a folder, if there is one.
fn names_in(folder: &Path) -> Result<BTreeSet<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", folder.display()));
        }
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

impl Problems {
    /// An error with all of them.
    fn none_in(&self, folder: &Path) -> Result<()> {
        let count = match &self.lines[..] {
            [] => return Ok(()),
            [_] => "1 problem".to_owned(),
            several => format!("{} problems", several.len()),
        };
        let error = anyhow!(
            "cannot take over {}: {count}{}",
            folder.display(),
            self.lines.concat()
        );
        Err(error.context(Hint(
            "mend them, and run the command again; nothing has been changed".to_owned(),
        )))
    }

    /// A file, or None where there is none or it cannot be read, which is a problem.
    fn read(&mut self, folder: &Path, name: &str) -> Option<Bytes> {
        match read_file(&folder.join(name)) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.add(name, chain(&error), None);
                None
            }
        }
    }
}

/// What is asked for by hosts/pki as it is, and, where that is not written yet, as it will be.
pub fn asked(plan: &Plan, paths: &Paths) -> Result<Asked> {
    let requests = super::requests(plan);
    let (requests, _) = super::with_edits(requests, &paths.hosts().join("pki"))
        .hint("mend the file, or remove it: `hardway generate` writes it again")?;
    Asked::parse(plan, &requests)
}
