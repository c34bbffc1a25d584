//! Another cluster's PKI in the place of this one's, as long as no machine depends on what
//! it replaces.

use std::path::Path;

use anyhow::{Result, anyhow};

use super::{machines, snapshot};
use common::exposure;
use common::report::WithHint;
use common::state::Paths;
use model::plan::Plan;
use pki::{self, Imported, Rotation};

/// Takes over the PKI in `folder`; with `dry_run` it writes nothing, and says what would be.
pub fn import(plan: &Plan, paths: &Paths, folder: &Path, dry_run: bool) -> Result<Imported> {
    if let Some(Rotation { authority, .. }) = Rotation::read(paths)? {
        let stem = authority.stem();
        return Err(anyhow!(
            "{stem} is being replaced, and would be another one"
        ))
        .hint(format!("end that first: hardway pki rotate-ca {stem}"));
    }
    let found = pki::look(plan, &pki::asked_for(plan, paths)?, paths, folder)?;
    let depend: Vec<String> = machines::known(paths)?
        .into_iter()
        .filter(|node| paths.node(node).installed().is_file())
        .map(|node| node.to_string())
        .collect();
    if !found.replaced.is_empty() && !depend.is_empty() {
        return Err(anyhow!(
            "{} {} installed with another {}",
            depend.join(", "),
            if depend.len() == 1 { "is" } else { "are" },
            found.replaced.join(", ")
        ))
        .hint(format!(
            "remove machines and keys first: hardway destroy; then: hardway pki import {}",
            folder.display()
        ));
    }
    if !dry_run {
        exposure::refuse(&paths.state())?;
        snapshot::replace_keys(paths, &found.files)?;
    }
    Ok(found)
}
