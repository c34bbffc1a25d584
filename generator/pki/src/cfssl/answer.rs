//! What `cfssl` prints and `cfssljson` takes: PEM in a JSON object.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// A certificate, its key and its signing request, as far as they are there.
#[derive(Default)]
pub struct Answer {
    pub certificate: Option<String>,
    pub key: Option<Zeroizing<String>>,
    pub request: Option<String>,
}

impl Answer {
    /// One line, as cfssl prints it.
    pub fn text(&self) -> Zeroizing<String> {
        let parts = [
            ("cert", self.certificate.as_deref()),
            ("csr", self.request.as_deref()),
            ("key", self.key.as_ref().map(|key| key.as_str())),
        ];
        let mut text = Zeroizing::new(String::with_capacity(16384));
        for (name, part) in parts {
            let Some(part) = part else { continue };
            let start = if text.is_empty() { '{' } else { ',' };
            text.push(start);
            text.push_str(&json!(name).to_string());
            text.push(':');
            text.push_str(&Zeroizing::new(json!(part).to_string()));
        }
        text.push_str("}\n");
        text
    }

    /// Reads what `cfssl` printed, or a cfssl server answered.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let mut parts: BTreeMap<String, Value> = super::read(text)?;
        if let Some(Value::Bool(success)) = parts.get("success") {
            if !success {
                let errors = parts.remove("errors").unwrap_or_default();
                bail!("it says that it failed: {errors}");
            }
            let result = parts.remove("result").context("it has no result")?;
            parts = serde_json::from_value(result).context("its result is no object")?;
        }
        let mut take = |names: [&str; 2]| -> Result<Option<String>> {
            for name in names {
                match parts.remove(name) {
                    None => {}
                    Some(Value::String(text)) => return Ok(Some(text)),
                    Some(_) => bail!("its {name} is no text"),
                }
            }
            Ok(None)
        };
        let answer = Self {
            certificate: take(["cert", "certificate"])?,
            key: take(["key", "private_key"])?.map(Zeroizing::new),
            request: take(["csr", "certificate_request"])?,
        };
        if answer.certificate.is_none() && answer.key.is_none() && answer.request.is_none() {
            bail!("it has neither a certificate nor a key nor a request");
        }
        Ok(answer)
    }
}
