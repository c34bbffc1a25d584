//! Two places that claim one address or port: the later is told of the earlier.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;

use super::check::Checker;
use super::problem::Place;
use super::read::line_of;

/// Something that only one may have, and who claims it.
#[derive(Debug)]
pub(super) struct Claim<T> {
    pub(super) value: T,
    pub(super) place: Place,
    /// What the claim is called: `nodes.sigma.address`, `API_PORT`.
    pub(super) subject: String,
    /// Why the value stands nowhere, if it does not: `the default`.
    pub(super) note: &'static str,
}

/// Notes a problem for each claim on a value that is claimed already.
pub(super) fn clashes<T: Copy + Eq + Hash + Display>(
    checker: &mut Checker<'_>,
    mut claims: Vec<Claim<T>>,
    hint: &str,
) {
    // What is not written comes first: the problem then stands where a person can change it.
    claims.sort_by(|a, b| {
        (a.note.is_empty(), a.place, &a.subject).cmp(&(b.note.is_empty(), b.place, &b.subject))
    });
    let mut first: HashMap<T, usize> = HashMap::new();
    for (index, claim) in claims.iter().enumerate() {
        let Some(other) = first.get(&claim.value).map(|other| &claims[*other]) else {
            first.insert(claim.value, index);
            continue;
        };
        let own = if claim.note.is_empty() {
            String::new()
        } else {
            format!(" ({})", claim.note)
        };
        let whose = match (other.note, other.place) {
            ("", Place::Env { line }) => format!("cluster.env, line {line}"),
            ("", place) => line_of(place),
            (note, _) => note.to_owned(),
        };
        checker.problem_at(
            claim.place,
            &claim.subject,
            format!("{}{own} is also {} ({whose})", claim.value, other.subject),
            hint,
        );
    }
}
