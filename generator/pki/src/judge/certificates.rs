//! The certificates against each other, against their keys, and against the plan.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use time::{Duration, OffsetDateTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;

use super::{Judgement, Scene};
use crate::MASTERS;
use crate::cfssl::Usages;
use crate::found::{
    certificate_pem, certificates, check_pair, check_signature, check_validity, names,
};
use crate::rotation::{self, Rotation, Step};
use crate::san::San;
use crate::show::chain;
use crate::subject::{Part, Subject};
use model::plan::{Authority, CertificateRequest, SIGNING, Usage};

/// A certificate's file, read; the leaf that it should be, None for an authority.
pub(super) struct One<'a> {
    name: &'a str,
    authority: Authority,
    leaf: Option<&'a CertificateRequest>,
    pem: Result<Pem>,
}

impl One<'_> {
    /// Looks at it with `look`; whatever is wrong, in words that begin with its name.
    fn wrong(&self, look: impl FnOnce(&X509Certificate<'_>) -> Result<()>) -> Option<String> {
        let parsed = self.pem.as_ref().ok()?.parse_x509().ok()?;
        let error = look(&parsed).err()?;
        Some(format!("{}: {}", self.name, chain(&error)))
    }
}

impl<'a> Scene<'a> {
    pub(super) fn certificates(&self) -> Vec<One<'a>> {
        let read = |name: &str| -> Result<Pem> {
            let pem = certificate_pem(&self.store.need(&format!("{name}.pem"))?)?;
            pem.parse_x509().context("its certificate is unusable")?;
            Ok(pem)
        };
        let root = |authority: Authority| -> Result<Pem> {
            if !rotation::of(&self.store, authority)? {
                return read(authority.stem());
            }
            let bytes = self.store.need(&format!("{}.pem", authority.stem()))?;
            let signing = certificates(&bytes)?.into_iter().next();
            signing.context("it has no certificate")
        };
        let authorities = Authority::ALL.into_iter().map(|authority| One {
            name: authority.stem(),
            authority,
            leaf: None,
            pem: root(authority),
        });
        let leaves = self.plan.certificates.iter().map(|leaf| One {
            name: &leaf.name,
            authority: leaf.authority,
            leaf: Some(leaf),
            pem: read(&leaf.name),
        });
        authorities.chain(leaves).collect()
    }

    /// Whether the key that signs it, or is its own, is elsewhere.
    fn is_external(&self, one: &One<'_>) -> bool {
        self.plan.external.contains(&one.authority)
    }

    /// Each file is one whole certificate, and its authority signed it.
    pub(super) fn chains(&self, all: &[One<'_>]) -> Judgement {
        let mut wrong: Vec<String> = all
            .iter()
            .filter_map(|one| Some(format!("{}: {}", one.name, chain(one.pem.as_ref().err()?))))
            .collect();
        for authority in Authority::ALL {
            let Some(root) = all
                .iter()
                .find(|one| one.leaf.is_none() && one.authority == authority)
            else {
                continue;
            };
            let Some(root) = root.pem.as_ref().ok().and_then(|pem| pem.parse_x509().ok()) else {
                continue;
            };
            let of_this = all.iter().filter(|one| one.authority == authority);
            wrong.extend(of_this.filter_map(|one| {
                one.wrong(|found| {
                    ensure!(
                        found.is_ca() == one.leaf.is_none(),
                        "it is {} authority's",
                        if found.is_ca() { "an" } else { "no" }
                    );
                    check_signature(found, &root)
                })
            }));
        }
        let mut well = format!(
            "{} certificates, each signed by its own of {} authorities",
            all.len() - Authority::ALL.len(),
            Authority::ALL.len()
        );
        match Rotation::read(self.paths) {
            Ok(None) => {}
            Ok(Some(Rotation { authority, step })) => {
                well += &format!(
                    "; {stem} is being replaced, step {} of {}: hardway pki rotate-ca {stem}",
                    step.number(),
                    Step::ALL.len(),
                    stem = authority.stem()
                );
            }
            Err(error) => wrong.push(chain(&error)),
        }
        if !self.plan.external.contains(&Authority::Cluster) {
            wrong.extend(self.copy().err().map(|error| chain(&error)));
        }
        Judgement::new("chains", wrong, well, "hardway generate")
    }

    /// What signs over the API is what signs here.
    fn copy(&self) -> Result<()> {
        let (copy, of) = (self.store.need(SIGNING)?, self.store.need("ca.pem")?);
        let same = certificate_pem(&copy)?.contents == certificates(&of)?[0].contents;
        ensure!(same, "{SIGNING} is another certificate than ca.pem's first");
        Ok(())
    }

    pub(super) fn keys(&self, all: &[One<'_>]) -> Judgement {
        let key = |one: &One<'_>| {
            one.wrong(|found| {
                let key = self.store.need(&format!("{}-key.pem", one.name))?;
                check_pair(found, &key)
            })
        };
        let elsewhere = |one: &&One<'_>| one.leaf.is_none() && self.is_external(one);
        let mut wrong: Vec<String> = all
            .iter()
            .filter(|one| !elsewhere(one))
            .filter_map(key)
            .collect();
        let mut remedy = "hardway generate".to_owned();
        let mut away = Vec::new();
        for one in all.iter().filter(elsewhere) {
            away.push(one.name);
            let path = self.store.path(&format!("{}-key.pem", one.name));
            if path.exists() {
                let path = path.display();
                remedy = format!("rm {path}");
                wrong.push(format!(
                    "{}: cluster.json says that its key is elsewhere, and here is {path}",
                    one.name
                ));
            }
        }
        let mut well = format!("{} keys, each its certificate's", all.len() - away.len());
        if !away.is_empty() {
            well += &format!("; elsewhere: {}", away.join(", "));
        }
        Judgement::new("keys", wrong, well, &remedy)
    }

    pub(super) fn expiry(&self, all: &[One<'_>], left: Duration) -> Judgement {
        let mut first: Option<(OffsetDateTime, &str)> = None;
        let mut late = BTreeSet::new();
        let mut wrong = Vec::new();
        for one in all {
            wrong.extend(one.wrong(|found| {
                let until = found.validity().not_after.to_datetime();
                first = first.into_iter().chain([(until, one.name)]).min();
                let judged = check_validity(found, self.now, left);
                if judged.is_err() {
                    late.insert((one.leaf.is_some(), one.name));
                }
                judged
            }));
        }
        let well = first.map_or_else(String::new, |(until, name)| {
            format!(
                "the first to expire is {name}, on {} ({} days)",
                until.date(),
                (until - self.now).whole_days()
            )
        });
        // Whoever trusts an authority has to be told first.
        let names: Vec<&str> = late.iter().map(|(_, name)| *name).collect();
        let elsewhere = all
            .iter()
            .any(|one| names.contains(&one.name) && self.is_external(one));
        let authority = late.iter().find(|(leaf, _)| !leaf);
        let remedy = match (authority, elsewhere) {
            (None, false) => format!("hardway pki renew {}", names.join(" ")),
            (None, true) => format!("hardway pki csr {}", names.join(" ")),
            (Some((_, name)), false) => format!("hardway pki rotate-ca {name}"),
            (Some(_), true) => "hardway generate".to_owned(),
        };
        Judgement::new("expiry", wrong, well, &remedy)
    }

    /// Every name under which cluster.json has someone dialled, and no other but those
    /// that the request's file asks for.
    pub(super) fn names(&self, all: &[One<'_>]) -> Result<Judgement> {
        let (mut wrong, mut count, mut added) = (Vec::new(), 0, Vec::new());
        for one in all {
            let Some(leaf) = one.leaf else { continue };
            let planned: BTreeSet<San> = leaf
                .hosts
                .iter()
                .map(|host| San::parse(host))
                .collect::<Result<_>>()?;
            let asked = self.asked.leaf(leaf)?;
            wrong.extend(one.wrong(|found| {
                let found: BTreeSet<San> = names(found)?
                    .context("it has a name of a kind that is never issued here")?
                    .into_iter()
                    .collect();
                count += found.len();
                let listed = |names: Vec<&San>| {
                    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
                    names.join(", ")
                };
                let missing: Vec<&San> = planned.difference(&found).collect();
                ensure!(
                    missing.is_empty(),
                    "it does not name {}, as cluster.json has it",
                    listed(missing)
                );
                let (own, strange): (Vec<&San>, Vec<&San>) = found
                    .difference(&planned)
                    .partition(|name| asked.names.contains(name));
                ensure!(
                    strange.is_empty(),
                    "it names {}, for which nothing asks",
                    listed(strange)
                );
                if !own.is_empty() {
                    added.push(format!("{} for {}", listed(own), one.name));
                }
                Ok(())
            }));
        }
        let well = match added.is_empty() {
            true => format!("{count} names and addresses, all of cluster.json"),
            false => format!(
                "{count} names and addresses; not of cluster.json, but asked for in hosts/pki: {}",
                added.join("; ")
            ),
        };
        Ok(Judgement::new("names", wrong, well, "hardway generate"))
    }

    /// Nobody can do more than the plan has it: subject and usages of each leaf; and no
    /// certificate lies about that is an authority's or in `system:masters`.
    pub(super) fn powers(&self, all: &[One<'_>]) -> Result<Judgement> {
        let (mut wrong, mut strangers) = (Vec::new(), Vec::new());
        for one in all {
            if let Some(leaf) = one.leaf {
                let usages = usages_of(leaf.usage)?;
                wrong.extend(one.wrong(|found| check_power(found, leaf, &usages)));
            }
        }
        let mut known: BTreeSet<String> =
            all.iter().map(|one| format!("{}.pem", one.name)).collect();
        known.insert(SIGNING.to_owned());
        for entry in fs::read_dir(self.paths.pki()).into_iter().flatten() {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if known.contains(&name) || !entry.file_type()?.is_file() {
                continue;
            }
            // Keys and kubeconfigs are no certificates; they are looked at elsewhere.
            let Some(Ok(pem)) = self.store.read(&name)?.map(|bytes| certificate_pem(&bytes)) else {
                continue;
            };
            let found = pem.parse_x509()?;
            let subject = Subject::of(found.subject()).unwrap_or_default();
            if found.is_ca() || subject.get(Part::Organization) == Some(MASTERS) {
                strangers.push(self.store.path(&name).display().to_string());
                wrong.push(format!(
                    "{name}: no certificate of this cluster, and all-powerful ({})",
                    found.subject()
                ));
            }
        }
        let remedy = match strangers.is_empty() {
            true => "hardway generate".to_owned(),
            false => format!("rm {}", strangers.join(" ")),
        };
        let well = format!("nobody is in {MASTERS}, and nobody may do more than planned");
        Ok(Judgement::new("powers", wrong, well, &remedy))
    }
}

fn usages_of(usage: Usage) -> Result<Usages> {
    let words: &[&str] = match usage {
        Usage::Server => &["server auth"],
        Usage::Client => &["client auth"],
        Usage::Peer => &["server auth", "client auth"],
    };
    Usages::parse(words)
}

fn check_power(
    found: &X509Certificate<'_>,
    leaf: &CertificateRequest,
    purposes: &Usages,
) -> Result<()> {
    let subject = Subject::of(found.subject()).unwrap_or_default();
    ensure!(
        subject.get(Part::Organization) == leaf.organization.as_deref()
            && subject.get(Part::CommonName) == Some(leaf.common_name.as_str()),
        "it is for {}, and the plan's is for {}",
        found.subject(),
        Subject::new(&leaf.common_name, leaf.organization.as_deref())
    );
    ensure!(!found.is_ca(), "it is an authority's");
    let usages = Usages::of(found)?.context("it has a usage that is never issued here")?;
    // What a key does in TLS is not a power; which side it may be on is.
    let harmless = ["digital signature", "key encipherment"];
    let powers: Vec<&str> = usages
        .words()
        .into_iter()
        .filter(|word| !harmless.contains(word))
        .collect();
    ensure!(
        powers == purposes.words(),
        "its usages are {}, and the plan's are {}",
        powers.join(", "),
        purposes
    );
    Ok(())
}
