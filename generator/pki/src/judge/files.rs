//! What is beside the certificates: the key pair of tokens, kubeconfigs, and modes.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use time::OffsetDateTime;

use super::{Judgement, Scene};
use crate::algorithm::Algorithm;
use crate::found::certificate_pem;
use crate::key::Key;
use crate::read::read_file;
use crate::show::chain;
use crate::store::Bytes;
use crate::{modes, service_account};

/// A kubeconfig, as far as credentials go; each is embedded or in a file of its own.
#[derive(Deserialize)]
struct Kubeconfig {
    clusters: Vec<Cluster>,
    users: Vec<User>,
}

#[derive(Deserialize)]
struct Cluster {
    cluster: Server,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Server {
    server: String,
    certificate_authority_data: Option<String>,
    certificate_authority: Option<String>,
}

#[derive(Deserialize)]
struct User {
    name: String,
    user: Credentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Credentials {
    client_certificate_data: Option<String>,
    client_certificate: Option<String>,
    client_key_data: Option<String>,
    client_key: Option<String>,
}

impl Scene<'_> {
    pub(super) fn service_accounts(&self) -> Judgement {
        let look = || -> Result<()> {
            let key = Key::from_pem(&self.store.need(service_account::PRIVATE)?)
                .with_context(|| format!("{} is unusable", service_account::PRIVATE))?;
            ensure!(
                key.algorithm_of() != Some(Algorithm::Ed25519),
                "{} is ed25519, which Kubernetes does not take for tokens",
                service_account::PRIVATE
            );
            let public = self.store.need(service_account::PUBLIC)?;
            ensure!(
                *public == key.public_pem().into_bytes(),
                "{} is not the public half of {}",
                service_account::PUBLIC,
                service_account::PRIVATE
            );
            Ok(())
        };
        let wrong = look().err().map(|error| chain(&error));
        Judgement::new(
            "service accounts",
            wrong.into_iter().collect(),
            "the pair that signs and checks tokens belongs together".to_owned(),
            "hardway generate",
        )
    }

    pub(super) fn kubeconfigs(&self, host_server: &str) -> Judgement {
        let mut wrong = Vec::new();
        let mut count = 0;
        for one in &self.plan.kubeconfigs {
            let path = self.store.path(&format!("{}.kubeconfig", one.name));
            count += 1;
            if let Err(error) = self.kubeconfig(&path, &one.certificate, &one.user, &one.server) {
                wrong.push(format!("{}.kubeconfig: {}", one.name, chain(&error)));
            }
        }
        // There is none before the first `up`.
        let own = self.paths.kubeconfig();
        if own.exists() {
            count += 1;
            if let Err(error) = self.kubeconfig(&own, "admin", "admin", host_server) {
                wrong.push(format!("{}: {}", own.display(), chain(&error)));
            }
        }
        let mut remedy = "hardway generate".to_owned();
        if let Some(until) = self.broken_glass() {
            let glass = self.paths.break_glass();
            remedy = format!("rm {}", glass.display());
            wrong.push(format!(
                "{} may do everything until {until}",
                glass.display()
            ));
        }
        let well = format!("{count} kubeconfigs, each with its own credentials");
        Judgement::new("kubeconfigs", wrong, well, &remedy)
    }

    /// Until when the all-powerful kubeconfig can be used, if it is there and still can.
    fn broken_glass(&self) -> Option<OffsetDateTime> {
        let text = read_file(&self.paths.break_glass()).ok()??;
        let read: Kubeconfig = serde_saphyr::from_str(std::str::from_utf8(&text).ok()?).ok()?;
        let embedded = read
            .users
            .first()?
            .user
            .client_certificate_data
            .as_deref()?;
        let pem = certificate_pem(&STANDARD.decode(embedded).ok()?).ok()?;
        let until = pem.parse_x509().ok()?.validity().not_after.to_datetime();
        (until > self.now).then_some(until)
    }

    fn kubeconfig(&self, path: &Path, certificate: &str, user: &str, server: &str) -> Result<()> {
        let text = read_file(path)?.context("there is none")?;
        let text = std::str::from_utf8(&text).context("it is not text")?;
        let read: Kubeconfig = serde_saphyr::from_str(text)
            .map_err(|error| anyhow!("it is no kubeconfig: {error}"))?;
        let ([cluster], [one]) = (&read.clusters[..], &read.users[..]) else {
            return Err(anyhow!("it has not one cluster and one user"));
        };
        let cluster = &cluster.cluster;
        ensure!(
            cluster.server == server,
            "it leads to {}, not to {server}",
            cluster.server
        );
        ensure!(one.name == user, "its user is {}, not {user}", one.name);
        let folder = path.parent().unwrap_or(Path::new("."));
        let parts = [
            (
                "ca.pem".to_owned(),
                &cluster.certificate_authority_data,
                &cluster.certificate_authority,
            ),
            (
                format!("{certificate}.pem"),
                &one.user.client_certificate_data,
                &one.user.client_certificate,
            ),
            (
                format!("{certificate}-key.pem"),
                &one.user.client_key_data,
                &one.user.client_key,
            ),
        ];
        for (file, embedded, named) in parts {
            let found = credential(folder, embedded.as_deref(), named.as_deref())
                .with_context(|| format!("what it has for {file}"))?;
            ensure!(
                *found == *self.store.need(&file)?,
                "what it has for {file} is not {file}"
            );
        }
        Ok(())
    }

    pub(super) fn modes(&self) -> Result<Judgement> {
        let loose: BTreeSet<String> = modes::loose(self.paths)?
            .iter()
            .map(modes::Loose::said)
            .collect();
        Ok(Judgement::new(
            "modes",
            loose.into_iter().collect(),
            "keys and certificates are their owner's alone".to_owned(),
            "hardway generate",
        ))
    }
}

/// What is embedded, or in the file that is named, which is beside the kubeconfig unless
/// it says otherwise.
fn credential(folder: &Path, embedded: Option<&str>, named: Option<&str>) -> Result<Bytes> {
    match (embedded, named) {
        // kubectl too takes what is embedded where there are both.
        (Some(text), _) => Ok(STANDARD
            .decode(text.trim())
            .context("it is no base64")?
            .into()),
        (None, Some(name)) => {
            let path = folder.join(name);
            read_file(&path)?.with_context(|| format!("there is no {}", path.display()))
        }
        (None, None) => Err(anyhow!("it is missing")),
    }
}
