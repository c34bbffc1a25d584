//! A cluster of 500 nodes, made and found whole; the times are printed, not judged.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{Cluster, fields};

#[test]
fn five_hundred_nodes() {
    let mut json: Value = serde_json::from_str(hardway::topology::default_json()).unwrap();
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
        // Three authorities and two secrets; an ssh key for each node, and the cluster's own.
        cluster.plan.certificates.len() + cluster.plan.kubeconfigs.len() + 5 + 500 + 1
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
