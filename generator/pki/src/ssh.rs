//! The keys of ssh: the cluster's own, with which the host logs in, and one for each
//! virtual machine, by which it is known. They are made here and travel with the other
//! keys, so that nobody has to trust a machine because it was the first to answer.

use std::path::PathBuf;

use anyhow::{Context, Error, Result, anyhow, ensure};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey, KeypairData};
use ssh_key::public::Ed25519PublicKey;
use ssh_key::{Algorithm, LineEnding, PrivateKey};
use zeroize::Zeroizing;

use super::store::Store;
use common::report::WithHint;
use common::state::Paths;
use model::plan::{NodePlan, Plan, SSH_AUTHORIZED_KEYS, ssh_host_key};
use model::topology::NodeName;

/// The cluster's own key. It leaves the host no more than the authorities' do.
const CLIENT: &str = "ssh-client-key.pem";

/// Makes the keys that are missing: the stems of their files, and whether each was made.
pub(super) fn ensure(plan: &Plan, store: &Store) -> Result<Vec<(String, bool)>> {
    let guests: Vec<&NodePlan> = plan
        .nodes
        .iter()
        .filter(|node| node.pki.contains_key(SSH_AUTHORIZED_KEYS))
        .collect();
    if guests.is_empty() {
        return Ok(Vec::new());
    }
    let (client, made) = key(
        store,
        CLIENT,
        "hardway",
        "and install every virtual machine again, since they let in the one that is lost",
    )?;
    let line = public(&client)?;
    let written = store.update(SSH_AUTHORIZED_KEYS, format!("{line}\n"))?;
    let mut keys = vec![(stem(CLIENT), made || written)];
    for node in guests {
        let file = ssh_host_key(&node.name);
        let (_, made) = key(
            store,
            &file,
            node.name.as_str(),
            &format!("and install {} again", node.name),
        )?;
        keys.push((stem(&file), made));
    }
    Ok(keys)
}

/// Where the cluster's own key is, for ssh to read.
pub fn ssh_client_key(paths: &Paths) -> PathBuf {
    Store::of(paths).path(CLIENT)
}

/// The public half of a node's key, `ssh-ed25519 …`; None where it has none yet.
pub fn ssh_host(paths: &Paths, node: &NodeName) -> Result<Option<String>> {
    let store = Store::of(paths);
    let file = ssh_host_key(node);
    let Some(text) = store.read(&file)? else {
        return Ok(None);
    };
    let key =
        parse(&text).with_context(|| format!("cannot use {}", store.path(&file).display()))?;
    let line = public(&key)?;
    // Without the comment, which says nothing that counts.
    Ok(Some(line.split(' ').take(2).collect::<Vec<_>>().join(" ")))
}

fn stem(file: &str) -> String {
    file.trim_end_matches("-key.pem").to_owned()
}

/// The key in `file`, made where there is none; true if it was. A broken one is an
/// error, as it is somewhere's only way in: `otherwise` says what its loss means.
fn key(store: &Store, file: &str, comment: &str, otherwise: &str) -> Result<(PrivateKey, bool)> {
    if let Some(text) = store.read(file)? {
        let key = parse(&text)
            .with_context(|| format!("cannot use {}", store.path(file).display()))
            .hint(format!(
                "restore {file} from a copy; or remove it, run `hardway generate`, {otherwise}"
            ))?;
        return Ok((key, false));
    }
    let key = generate(comment)?;
    let text = key.to_openssh(LineEnding::LF).map_err(Error::msg)?;
    store.write(file, text.as_bytes())?;
    Ok((key, true))
}

fn generate(comment: &str) -> Result<PrivateKey> {
    let mut seed = Zeroizing::new([0; Ed25519PrivateKey::BYTE_SIZE]);
    getrandom::fill(seed.as_mut()).context("the system gives no random bytes")?;
    let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref())
        .map_err(|error| anyhow!("cannot make an Ed25519 key: {error}"))?;
    let pair = Ed25519Keypair {
        public: Ed25519PublicKey::try_from(pair.public_key().as_ref()).map_err(Error::msg)?,
        private: Ed25519PrivateKey::from_bytes(&seed),
    };
    PrivateKey::new(KeypairData::Ed25519(pair), comment).map_err(Error::msg)
}

fn parse(text: &[u8]) -> Result<PrivateKey> {
    let key = PrivateKey::from_openssh(text)
        .map_err(|error| anyhow!("it is not a whole OpenSSH key: {error}"))?;
    ensure!(!key.is_encrypted(), "it is encrypted");
    ensure!(
        key.algorithm() == Algorithm::Ed25519,
        "it is of the kind {}, not ssh-ed25519",
        key.algorithm()
    );
    Ok(key)
}

fn public(key: &PrivateKey) -> Result<String> {
    key.public_key().to_openssh().map_err(Error::msg)
}
