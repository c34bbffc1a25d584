//! A cluster of 500 nodes, made and found whole; the times are printed, not judged.

use std::time::Instant;

use pki::{self, Asked};
use serde_json::{Value, json};

use crate::support::{Cluster, fields};

#[test]
fn five_hundred_nodes() {
    let mut json: Value = serde_json::from_str(model::topology::default_json()).unwrap();
    json["cni"] = json!("bridge");
    json["network"] = json!({ "pods": "10.64.0.0/13", "segment": "10.240.0.0/21" });
    json["nodes"] = json!({ "alpha": { "role": "control-plane", "address": "10.240.0.10" } });
    for n in 0..499 {
        json["nodes"][format!("w{n}")] = json!({
            "role": "worker",
            "address": format!("10.240.{}.{}", 1 + n / 200, 1 + n % 200),
        });
    }
    let cluster = Cluster::with(&json);
    let start = Instant::now();
    let summary = cluster.ensure();
    let made = start.elapsed();
    assert_eq!(
        summary.issued.len(),
        // Three authorities, a copy of one and two secrets; an ssh key for each node, and the
        // cluster's own.
        cluster.plan.certificates.len() + cluster.plan.kubeconfigs.len() + 6 + 500 + 1
    );
    assert!(summary.issued.len() > 1500);
    let start = Instant::now();
    assert_eq!(cluster.ensure().kept, summary.issued.len());
    println!(
        "500 nodes: made in {made:?}, found whole in {:?}",
        start.elapsed()
    );
    assert_eq!(
        fields(&cluster.read("kubelet-serving-w498.pem")).names,
        ["DNS w498", "IP 10.240.3.99"]
    );
}

/// For scripts/bench: what the library alone needs for the same keys and signatures.
#[test]
#[ignore = "a measurement, for scripts/bench"]
fn a_thousand_nodes_without_files() {
    use rayon::prelude::*;
    let mut json: Value = serde_json::from_str(model::topology::default_json()).unwrap();
    json["cni"] = json!("bridge");
    json["network"] = json!({ "pods": "10.64.0.0/12", "segment": "10.240.0.0/20" });
    json["nodes"] = json!({ "alpha": { "role": "control-plane", "address": "10.240.0.10" } });
    for n in 0..999 {
        json["nodes"][format!("w{n}")] = json!({
            "role": "worker",
            "address": format!("10.240.{}.{}", 1 + n / 200, 1 + n % 200),
        });
    }
    let cluster = Cluster::with(&json);
    let asked = Asked::parse(&cluster.plan, &pki::requests(&cluster.plan)).unwrap();
    let best = |run: &dyn Fn()| {
        let times = (0..3).map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64() * 1000.0
        });
        times.fold(f64::INFINITY, f64::min)
    };
    let ours = best(&|| {
        let signed = pki::sign_in_memory(&cluster.plan, &asked).unwrap();
        assert_eq!(signed, cluster.plan.certificates.len());
    });
    let key = rcgen::KeyPair::generate().unwrap();
    let issuer = rcgen::Issuer::new(rcgen::CertificateParams::default(), key);
    let library = best(&|| {
        cluster.plan.certificates.par_iter().for_each(|leaf| {
            let params = rcgen::CertificateParams::new(leaf.hosts.clone()).unwrap();
            let key = rcgen::KeyPair::generate().unwrap();
            params.signed_by(&key, &issuer).unwrap();
        });
    });
    println!("{:<52} {ours:>10.1}", "without files: 1,000 nodes (ms)");
    println!(
        "{:<52} {library:>10.1}",
        "anchor: key generation and signing alone (ms)"
    );
    println!(
        "{:<52} {:>10.2}   aim: under 2",
        "ratio to the anchor",
        ours / library
    );
}
