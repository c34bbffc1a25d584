//! What the files below hosts/pki ask for, read: the one source of what is signed.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};

use super::MASTERS;
use super::algorithm::Algorithm;
use super::cfssl::{Config, Request};
use super::issue::Wanted;
use super::read::read_file;
use super::requests::{CONFIG, file_of, profile_of};
use common::report::WithHint;
use model::plan::{Authority, CertificateRequest, Plan};

/// Of every authority and leaf of a plan.
pub struct Asked {
    authorities: BTreeMap<Authority, Wanted>,
    leaves: BTreeMap<String, Wanted>,
}

impl Asked {
    /// Reads the texts of all files: name → JSON.
    pub fn parse(plan: &Plan, files: &BTreeMap<String, String>) -> Result<Self> {
        Self::gather(plan, &|name| {
            let text = files.get(name);
            Ok(text.map(|text| text.clone().into_bytes().into()))
        })
    }

    /// Reads the files in `folder`, as they are.
    pub fn read(plan: &Plan, folder: &Path) -> Result<Self> {
        Self::gather(plan, &|name| read_file(&folder.join(name)))
    }

    fn gather(
        plan: &Plan,
        read: &dyn Fn(&str) -> Result<Option<super::store::Bytes>>,
    ) -> Result<Self> {
        let need = |name: &str| {
            read(name)?
                .ok_or_else(|| anyhow!("there is no hosts/pki/{name}"))
                .hint("run `hardway generate`")
        };
        let config = Config::parse(&need(CONFIG)?)
            .with_context(|| format!("cannot use hosts/pki/{CONFIG}"))
            .hint(mend(CONFIG))?;
        let request = |stem: &str| -> Result<Request> {
            let name = file_of(stem);
            Request::parse(&need(&name)?)
                .with_context(|| format!("cannot use hosts/pki/{name}"))
                .hint(mend(&name))
        };
        let authorities = Authority::ALL
            .into_iter()
            .map(|authority| {
                let stem = authority.stem();
                let wanted = Wanted::authority(&request(stem)?)
                    .and_then(|wanted| suits(authority, wanted))
                    .with_context(|| format!("cannot issue the authority {stem}"))
                    .hint(mend(&file_of(stem)))?;
                Ok((authority, wanted))
            })
            .collect::<Result<_>>()?;
        let leaves = plan
            .certificates
            .iter()
            .map(|leaf| {
                Ok((
                    leaf.name.clone(),
                    leaf_of(leaf, &request(&leaf.name)?, &config)?,
                ))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            authorities,
            leaves,
        })
    }

    pub(super) fn authority(&self, authority: Authority) -> &Wanted {
        &self.authorities[&authority]
    }

    pub(super) fn leaf(&self, leaf: &CertificateRequest) -> Result<&Wanted> {
        self.leaves
            .get(&leaf.name)
            .with_context(|| format!("nothing asks for the certificate {}", leaf.name))
    }
}

fn leaf_of(leaf: &CertificateRequest, request: &Request, config: &Config) -> Result<Wanted> {
    let parse = || -> Result<Wanted> {
        let profile = config.profile(Some(profile_of(leaf.usage)))?;
        let wanted = Wanted::parse(request, profile)?;
        ensure!(
            !wanted.is_master(),
            "it asks for the group {MASTERS}, whose power nobody can take back"
        );
        ensure!(
            wanted.authority.is_none(),
            "its profile makes an authority of it"
        );
        Ok(wanted)
    };
    parse()
        .with_context(|| format!("cannot issue the certificate {}", leaf.name))
        .hint(format!(
            "give it a group of its own and valid names, in hosts/pki/{}; bind the group to a \
             ClusterRole",
            file_of(&leaf.name)
        ))
}

/// Kubernetes signs and checks with this one, and its programs know no Ed25519 for that.
fn suits(authority: Authority, wanted: Wanted) -> Result<Wanted> {
    ensure!(
        authority != Authority::Cluster || wanted.algorithm != Algorithm::Ed25519,
        "its key is ed25519, which Kubernetes does not take for the cluster's authority"
    );
    Ok(wanted)
}

fn mend(name: &str) -> String {
    format!("mend it; or remove it, and `hardway generate` writes it again: rm hosts/pki/{name}")
}
