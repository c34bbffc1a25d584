//! How the API server encrypts Secrets in etcd. The file holds its key, so it is
//! a secret beside the others; host modules name only its path.

use anyhow::{Context, Result, anyhow};
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::store::Store;
use common::report::WithHint;

pub(super) const FILE: &str = "encryption-config.yaml";

/// What XSalsa20 with Poly1305 takes, in bytes.
const KEY_SIZE: usize = 32;

/// Makes the configuration once; true if it was made. A broken one is an error:
/// with another key every Secret in etcd is lost.
pub(super) fn ensure(store: &Store) -> Result<bool> {
    match store.read(FILE)? {
        Some(found) => {
            check(&found)
                .with_context(|| format!("cannot use {}", store.path(FILE).display()))
                .hint(format!(
                    "restore {FILE} from a copy or from the control plane; if no control plane \
                     was installed with it, remove it and run `hardway generate`"
                ))?;
            Ok(false)
        }
        None => {
            store.write(FILE, text()?.as_bytes())?;
            Ok(true)
        }
    }
}

/// The first provider encrypts; `identity` lets the API server read what was
/// stored in the clear before there was a key.
fn text() -> Result<Zeroizing<String>> {
    let mut key = Zeroizing::new([0; KEY_SIZE]);
    getrandom::fill(key.as_mut()).context("the system gives no random bytes")?;
    let secret = Zeroizing::new(STANDARD.encode(key.as_ref()));
    Ok(Zeroizing::new(format!(
        "\
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources:
      - secrets
    providers:
      - secretbox:
          keys:
            - name: key1
              secret: {}
      - identity: {{}}
",
        secret.as_str()
    )))
}

/// Whole enough to hold a key. More is not asked of it: a person may have put
/// another provider or a second key into it.
fn check(text: &[u8]) -> Result<()> {
    let text = std::str::from_utf8(text).context("it is not text")?;
    let secrets: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("secret:"))
        .collect();
    let whole = |secret: &&str| {
        STANDARD
            .decode(secret.trim().trim_matches('"'))
            .is_ok_and(|key| matches!(Zeroizing::new(key).len(), 16 | 24 | 32))
    };
    if !text.contains("kind: EncryptionConfiguration")
        || secrets.is_empty()
        || !secrets.iter().all(whole)
        || !text.ends_with('\n')
    {
        return Err(anyhow!(
            "it is no EncryptionConfiguration with whole keys (base64 of 16, 24 or 32 bytes)"
        ));
    }
    Ok(())
}
