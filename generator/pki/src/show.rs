//! What there is: authorities, what each has signed, and who uses it.

use std::fmt::Write as _;

use anyhow::{Context, Result, anyhow};
use serde::Serialize;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::algorithm::Algorithm;
use super::cfssl::Usages;
use super::found::{certificate_pem, names, two_certificates};
use super::rotation;
use super::store::Store;
use super::uses::{self, Readers, Use};
use common::report::Hint;
use common::state::Paths;
use model::lint::nearest;
use model::plan::{Authority, Plan};

/// An authority or a leaf.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    pub name: String,
    /// Who signed it; None for an authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<&'static str>,
    /// Where it is on the host; beside it is its key.
    pub file: String,
    #[serde(flatten)]
    pub certificate: Option<Certificate>,
    /// The other one in its file, while an authority is being replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub also_trusted: Option<Certificate>,
    /// Why it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Who reads it, or the kubeconfig that it is in.
    pub used: Vec<Use>,
    /// Whether it is in the administrator's kubeconfig on this host.
    pub on_host: bool,
}

/// What a certificate says.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    pub subject: String,
    pub names: Vec<String>,
    pub usages: Vec<&'static str>,
    pub key: String,
    pub not_before: String,
    pub not_after: String,
    /// Whole days until it expires; negative where it has.
    pub days: i64,
    pub serial: String,
    /// Of the certificate, in hexadecimal.
    pub sha256: String,
}

/// Everything, or what is called `name`: each authority before what it signed.
pub fn show(plan: &Plan, paths: &Paths, name: Option<&str>) -> Result<Vec<Shown>> {
    let (store, now) = (Store::of(paths), OffsetDateTime::now_utc());
    let readers = Readers::of(plan);
    let shown = |name: &str, authority: Option<Authority>| {
        let read = || -> Result<(Certificate, Option<Certificate>)> {
            let bytes = store.need(&format!("{name}.pem"))?;
            let known = Authority::ALL.into_iter().find(|one| one.stem() == name);
            if known.is_none_or(|one| !rotation::of(&store, one).unwrap_or(false)) {
                return Ok((Certificate::read(&bytes, now)?, None));
            }
            let (signing, other) = two_certificates(&bytes)?;
            let other = other.map(|other| Certificate::read(other, now));
            Ok((Certificate::read(signing, now)?, other.transpose()?))
        };
        let (certificate, also_trusted, problem) = match read() {
            Ok((certificate, other)) => (Some(certificate), other, None),
            Err(error) => (None, None, Some(chain(&error))),
        };
        Shown {
            name: name.to_owned(),
            authority: authority.map(Authority::stem),
            file: store.path(&format!("{name}.pem")).display().to_string(),
            certificate,
            also_trusted,
            problem,
            used: readers.read(&uses::files(plan, name)),
            on_host: name == "admin" || name == Authority::Cluster.stem(),
        }
    };
    let mut all = Vec::new();
    for authority in Authority::ALL {
        all.push(shown(authority.stem(), None));
        let signed = plan
            .certificates
            .iter()
            .filter(|leaf| leaf.authority == authority);
        all.extend(signed.map(|leaf| shown(&leaf.name, Some(authority))));
    }
    if let Some(name) = name {
        let known: Vec<String> = all.iter().map(|one| one.name.clone()).collect();
        all.retain(|one| one.name == name);
        if all.is_empty() {
            return Err(unknown(name, &known));
        }
    }
    Ok(all)
}

/// There is no certificate of this name.
pub(super) fn unknown(name: &str, known: &[String]) -> anyhow::Error {
    let hint = match nearest(name, known.iter().map(String::as_str)) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => "those that there are: hardway pki show".to_owned(),
    };
    anyhow!("there is no certificate {name:?}").context(Hint(hint))
}

impl Certificate {
    pub(super) fn read(bytes: &[u8], now: OffsetDateTime) -> Result<Self> {
        let pem = certificate_pem(bytes)?;
        let found = pem.parse_x509().context("its certificate is unusable")?;
        let until = found.validity().not_after.to_datetime();
        let date = |date: OffsetDateTime| date.format(&Rfc3339).unwrap_or_default();
        let algorithm = Algorithm::of(found.public_key());
        Ok(Self {
            subject: found.subject().to_string(),
            names: names(&found)?
                .context("it has a name of a kind that is never issued here")?
                .iter()
                .map(ToString::to_string)
                .collect(),
            usages: Usages::of(&found)?
                .context("it has a usage that is never issued here")?
                .words(),
            key: algorithm.map_or_else(|| "of another kind".to_owned(), |one| one.to_string()),
            not_before: date(found.validity().not_before.to_datetime()),
            not_after: date(until),
            days: (until - now).whole_days(),
            serial: hex::encode(found.raw_serial()),
            sha256: hex::encode(Sha256::digest(&pem.contents)),
        })
    }

    fn until(&self) -> String {
        let day = self.not_after.split('T').next().unwrap_or_default();
        match self.days {
            days if days < 0 => format!("expired {day}"),
            days => format!("until {day} ({days} days)"),
        }
    }
}

/// A tree: authorities, and what each signed.
pub fn tree(all: &[Shown]) -> String {
    let mut text = String::new();
    for (place, one) in all.iter().enumerate() {
        let last = all
            .get(place + 1)
            .is_none_or(|next| next.authority.is_none());
        let (head, rest) = match (one.authority, last) {
            (None, true) => ("", "  "),
            (None, false) => ("", "│ "),
            (Some(_), true) => ("└─ ", "     "),
            (Some(_), false) => ("├─ ", "│    "),
        };
        let _ = writeln!(text, "{head}{}", one.line());
        for line in one.below() {
            let _ = writeln!(text, "{rest}{line}");
        }
    }
    text
}

impl Shown {
    /// e.g. `admin  O=hardway:cluster-admins, CN=admin  until 2027-11-26 (364 days)`.
    fn line(&self) -> String {
        match &self.certificate {
            Some(found) => format!("{}  {}  {}", self.name, found.subject, found.until()),
            None => format!("{}  {}", self.name, self.problem.as_deref().unwrap_or("?")),
        }
    }

    fn below(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(found) = &self.certificate {
            if !found.names.is_empty() {
                lines.push(format!("for  {}", found.names.join(", ")));
            }
            if self.authority.is_some() {
                lines.push(format!("may  {}", found.usages.join(", ")));
            }
        }
        if let Some(other) = &self.also_trusted {
            lines.push(format!(
                "also trusted  {}  {}  (it is being replaced: hardway pki rotate-ca {})",
                other.subject,
                other.until(),
                self.name
            ));
        }
        let mut users: Vec<String> = self.used.iter().map(ToString::to_string).collect();
        if self.on_host {
            users.push("this host: kubectl".to_owned());
        }
        lines.push(format!(
            "used {}",
            match users.is_empty() {
                true => "by nobody".to_owned(),
                false => users.join("; "),
            }
        ));
        lines
    }

    /// All there is to say of one.
    pub fn text(&self) -> String {
        let mut rows = vec![("name", self.name.clone())];
        rows.push((
            "signed by",
            self.authority.unwrap_or("itself: an authority").to_owned(),
        ));
        if let Some(found) = &self.certificate {
            rows.extend([
                ("subject", found.subject.clone()),
                ("names", found.names.join(", ")),
                ("usages", found.usages.join(", ")),
                ("key", found.key.clone()),
                ("valid from", found.not_before.clone()),
                ("valid until", found.not_after.clone()),
                ("serial", found.serial.clone()),
                ("SHA-256", found.sha256.clone()),
            ]);
        }
        if let Some(other) = &self.also_trusted {
            rows.extend([
                ("also trusted", other.subject.clone()),
                ("  until", other.not_after.clone()),
                ("  serial", other.serial.clone()),
                ("  SHA-256", other.sha256.clone()),
            ]);
        }
        rows.extend(self.problem.clone().map(|problem| ("problem", problem)));
        rows.push(("file", self.file.clone()));
        rows.extend(self.used.iter().map(|one| ("used by", one.to_string())));
        if self.on_host {
            rows.push(("used by", "this host: kubectl".to_owned()));
        }
        rows.iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name:<12} {value}\n"))
            .collect()
    }
}

/// An error and its causes on one line, without hints.
pub(super) fn chain(error: &anyhow::Error) -> String {
    let causes = error.chain().map(ToString::to_string);
    let said: Vec<String> = causes
        .filter(|cause| !cause.starts_with("hint: "))
        .collect();
    said.join(": ")
}
