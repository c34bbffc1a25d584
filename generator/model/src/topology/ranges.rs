//! Address ranges: each well formed and of a size that works, none over another,
//! and each node's own /24 of the pod range.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::check::{Checker, Refusal};
use super::clash::clashes;
use super::input;
use super::read::{line_of, member};

/// The prefix length of a node's pod range.
const NODE_PREFIX: u8 = 24;

/// Ranges that are taken before a cluster comes.
const RESERVED: [(&str, Ipv4Addr, u8); 5] = [
    ("QEMU's own network", Ipv4Addr::new(10, 0, 2, 0), 24),
    ("this network (RFC 1122)", Ipv4Addr::new(0, 0, 0, 0), 8),
    ("loopback", Ipv4Addr::new(127, 0, 0, 0), 8),
    ("link-local", Ipv4Addr::new(169, 254, 0, 0), 16),
    ("multicast and reserved", Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// The cluster's ranges as far as they could be read.
#[derive(Debug)]
pub(super) struct Ranges {
    pub(super) pods: Option<Ipv4Net>,
    pub(super) services: Option<Ipv4Net>,
    pub(super) segment: Option<Ipv4Net>,
}

impl Ranges {
    /// The place of an address in the segment, if it is one of it.
    pub(super) fn place(&self, address: Option<Ipv4Addr>) -> Option<u32> {
        let (address, segment) = (address?, self.segment?);
        segment
            .contains(&address)
            .then(|| u32::from(address) - u32::from(segment.network()))
    }
}

pub(super) fn check(checker: &mut Checker<'_>, network: &input::Network) -> Ranges {
    // A node owns a /24; the controller-manager hands out ranges of at most 16
    // bits less than a node's (cidrset's clusterSubnetMaxDiff).
    let pods = range(checker, "network.pods", &network.pods, 8, NODE_PREFIX);
    // DNS is the 10th address: a /28 is the smallest range that holds it.
    let services = range(checker, "network.services", &network.services, 8, 28);
    // A larger segment would make one MAC address of two nodes' addresses.
    let segment = range(checker, "network.segment", &network.segment, 8, 29);
    let ranges = Ranges {
        pods,
        services,
        segment,
    };
    overlaps(checker, &ranges);
    ranges
}

/// A range in CIDR notation whose prefix length is from `widest` to `narrowest`.
fn range(
    checker: &mut Checker<'_>,
    path: &str,
    text: &str,
    widest: u8,
    narrowest: u8,
) -> Option<Ipv4Net> {
    let range = checker.parsed(path, text, cidr)?;
    let length = range.prefix_len();
    let with = |prefix: u8| {
        Ipv4Net::new(range.network(), prefix)
            .map(|net| net.trunc().to_string())
            .unwrap_or_default()
    };
    if length > narrowest {
        let what = match path {
            "network.pods" => "one node's /24".to_owned(),
            "network.services" => "10 Services, of which DNS is the 10th".to_owned(),
            _ => "a control plane and workers".to_owned(),
        };
        let hint = format!(
            "write a /{narrowest} or larger, such as {}",
            with(narrowest)
        );
        checker.problem(path, format!("{range} is too small for {what}"), hint);
    } else if length < widest {
        let hint = format!("write a /{widest} or smaller, such as {}", with(widest));
        checker.problem(path, format!("{range} is too large"), hint);
    } else {
        return Some(range);
    }
    None
}

/// Reads `10.200.0.0/16`; bits set behind the prefix are refused.
fn cidr(text: &str) -> Result<Ipv4Net, Refusal> {
    let range: Ipv4Net = text.parse().map_err(|_| {
        (
            format!("{text:?} is not an IPv4 range in CIDR notation"),
            "write an address and a prefix length, such as \"10.200.0.0/16\"".to_owned(),
        )
    })?;
    if range.trunc() != range {
        return Err((
            format!(
                "{range} has bits set behind its prefix of {} bits",
                range.prefix_len()
            ),
            format!("write \"{}\"", range.trunc()),
        ));
    }
    Ok(range)
}

fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b) || b.contains(&a)
}

fn overlaps(checker: &mut Checker<'_>, ranges: &Ranges) {
    const HINT: &str = "choose ranges apart, such as the defaults: pods 10.200.0.0/16, services 10.32.0.0/24, segment 10.240.0.0/24";
    let named = [
        ("network.pods", ranges.pods),
        ("network.services", ranges.services),
        ("network.segment", ranges.segment),
    ];
    let mut known: Vec<(&str, Ipv4Net)> = named
        .into_iter()
        .filter_map(|(path, range)| Some((path, range?)))
        .collect();
    // What is not written comes first: the problem then stands where a person can change it.
    known.sort_by_key(|(path, _)| (checker.document.has(path), checker.document.place(path)));
    for (index, (path, range)) in known.iter().enumerate() {
        for (name, address, length) in RESERVED {
            if Ipv4Net::new(address, length).is_ok_and(|reserved| overlap(*range, reserved)) {
                let reason = format!("{range} overlaps {address}/{length}, {name}");
                checker.problem(path, reason, HINT);
            }
        }
        for (other_path, other) in &known[..index] {
            if overlap(*range, *other) {
                let whose = if checker.document.has(other_path) {
                    line_of(checker.document.place(other_path))
                } else {
                    "the default".to_owned()
                };
                let reason = format!("{range} overlaps {other_path}, {other} ({whose})");
                checker.problem(path, reason, HINT);
            }
        }
    }
}

/// Notes a problem if no node of `segment` can have `address`.
pub(super) fn in_segment(
    checker: &mut Checker<'_>,
    path: &str,
    address: Ipv4Addr,
    segment: Ipv4Net,
) {
    let example = segment.hosts().nth(9).or_else(|| segment.hosts().next());
    let hint = example.map_or_else(String::new, |example| {
        format!("choose an address of the segment, such as {example}")
    });
    let reason = if !segment.contains(&address) {
        format!("{address} is outside network.segment, {segment}")
    } else if address == segment.network() {
        format!("{address} names the segment {segment} itself")
    } else if address == segment.broadcast() {
        format!("{address} is the broadcast address of the segment {segment}")
    } else {
        return;
    };
    checker.problem(path, reason, hint);
}

/// Who needs a pod range.
pub(super) struct Owner<'a> {
    /// `nodes.sigma`
    pub(super) path: &'a str,
    pub(super) address: Option<Ipv4Addr>,
    /// Whether another owner has the same address.
    pub(super) shared: bool,
    pub(super) written: Option<&'a str>,
}

/// Each owner's /24 of the pod range: as written, or the n-th one, where n is the
/// address's place in the segment.
pub(super) fn pod_cidrs(
    checker: &mut Checker<'_>,
    ranges: &Ranges,
    owners: &[Owner<'_>],
) -> Vec<Option<Ipv4Net>> {
    let mut claims = Vec::new();
    let mut furthest: Option<(u32, &Owner<'_>)> = None;
    let mut found = Vec::new();
    for owner in owners {
        let path = member(owner.path, "podCIDR");
        let range = match (owner.written, ranges.pods) {
            (Some(text), pods) => checker.parsed(&path, text, |text| node_range(text, pods)),
            _ if checker.document.is_bad(&path) => None,
            (None, Some(pods)) => match ranges.place(owner.address) {
                Some(n) if n < count(pods) => nth(pods, n),
                Some(n) => {
                    if furthest.is_none_or(|(most, _)| n > most) {
                        furthest = Some((n, owner));
                    }
                    None
                }
                None => None,
            },
            (None, None) => None,
        };
        if let Some(range) = range.filter(|_| owner.written.is_some() || !owner.shared) {
            claims.push(checker.claim(path, range));
        }
        found.push(range);
    }
    clashes(
        checker,
        claims,
        "leave podCIDR out, or give each node a /24 of its own",
    );
    if let (Some((n, owner)), Some(pods)) = (furthest, ranges.pods) {
        too_small(checker, pods, n, owner);
    }
    found
}

fn node_range(text: &str, pods: Option<Ipv4Net>) -> Result<Ipv4Net, Refusal> {
    let range = cidr(text)?;
    let hint = || match pods.and_then(|pods| nth(pods, count(pods).min(10) - 1)) {
        Some(example) => format!("leave it out, or write one such as \"{example}\""),
        None => "leave it out".to_owned(),
    };
    if range.prefix_len() != NODE_PREFIX {
        return Err((format!("{range} is not a /{NODE_PREFIX}"), hint()));
    }
    match pods {
        Some(pods) if !pods.contains(&range) => {
            Err((format!("{range} is outside network.pods, {pods}"), hint()))
        }
        _ => Ok(range),
    }
}

/// How many nodes' ranges `pods` holds.
fn count(pods: Ipv4Net) -> u32 {
    1 << (NODE_PREFIX - pods.prefix_len())
}

fn nth(pods: Ipv4Net, n: u32) -> Option<Ipv4Net> {
    let network = u32::from(pods.network()) + (n << (32 - NODE_PREFIX));
    Ipv4Net::new(network.into(), NODE_PREFIX).ok()
}

fn too_small(checker: &mut Checker<'_>, pods: Ipv4Net, n: u32, owner: &Owner<'_>) {
    let address = owner
        .address
        .map_or_else(String::new, |address| address.to_string());
    // The narrowest range that has a number n.
    let bits = u8::try_from(u32::BITS - n.leading_zeros()).unwrap_or(NODE_PREFIX);
    let fitting = NODE_PREFIX
        .checked_sub(bits)
        .and_then(|prefix| Ipv4Net::new(pods.network(), prefix).ok())
        .filter(|wider| wider.prefix_len() >= 8);
    let hint = match fitting {
        Some(wider) => format!(
            "a /{} would do, such as {}; or give the node a \"podCIDR\" of its own",
            wider.prefix_len(),
            wider.trunc()
        ),
        None => format!("give {} a \"podCIDR\" of its own", owner.path),
    };
    checker.problem(
        "network.pods",
        format!(
            "{pods} is too small: it holds {} ranges for nodes (/24), and {} has number {n}, after its address {address}",
            count(pods),
            owner.path
        ),
        hint,
    );
}
