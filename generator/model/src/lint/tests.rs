//! The plan against the tables, and a node with every mistake in it.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::plan::{Plan, plan, sample::topology};
use crate::tables::supported;
use crate::topology::{Cni, NetworkMode};

fn everything() -> Vec<Plan> {
    [
        topology(Cni::Bridge, NetworkMode::Segment),
        topology(Cni::Cilium, NetworkMode::Segment),
        topology(Cni::Bridge, NetworkMode::User),
    ]
    .iter()
    .map(plan)
    .collect()
}

fn lines(judgement: &Judgement) -> Vec<String> {
    judgement.findings.iter().map(ToString::to_string).collect()
}

/// Nothing that hardway emits is unknown to the programs, deprecated or of another type.
#[test]
fn the_plan_is_clean() {
    for minor in supported() {
        let tables = Tables::of(minor).unwrap();
        for plan in everything() {
            let judgement = judge(tables, planned(&plan)).unwrap();
            assert_eq!(lines(&judgement), [""; 0]);
            let flags: usize = plan
                .nodes
                .iter()
                .flat_map(|node| node.components.values())
                .map(|one| one.flags.len())
                .sum();
            assert_eq!(judgement.flags, flags);
            assert!(judgement.fields > flags / 2, "{}", judgement.fields);
            assert_eq!(judgement.nodes.len(), plan.nodes.len());
        }
    }
}

fn spoiled() -> Plan {
    let mut plan = plan(&topology(Cni::Bridge, NetworkMode::Segment));
    for node in &mut plan.nodes {
        for (name, component) in &mut node.components {
            let mut set = |flag: &str, value: Value| component.flags.insert(flag.to_owned(), value);
            match name.as_str() {
                "kubelet" => {
                    set("pod-infra-container-image", json!("pause:3.10"));
                    set("max-pods", json!(30));
                    let config = component.config.as_mut().unwrap();
                    config.value["failSwapOnn"] = json!(false);
                    config.value["port"] = json!("10250");
                    config.value["featureGates"] = json!({ "A": true });
                }
                "kube-apiserver" => {
                    set("secure-prot", json!(6443));
                    set("profiling", json!("no"));
                    set("request-timeout", json!(30));
                    set("service-account-issuer", json!(["a", "b"]));
                    component.config.as_mut().unwrap().value["apiVersion"] =
                        json!("audit.k8s.io/v1beta1");
                }
                "containerd" => {
                    let config = component.config.as_mut().unwrap();
                    config.value["plugins"]["io.containerd.cri.v1.runtime"]["containerd"]["runtimes"]
                        ["runc"]["options"] = json!({ "SystemdCgruop": true });
                }
                "etcd" => {
                    set("experimental-memory-mlock", json!(true));
                    set("dropped", Value::Null);
                }
                _ => {}
            }
        }
    }
    plan
}

#[test]
fn every_mistake_is_named_with_its_remedy() {
    let plan = spoiled();
    let judgement = judge(Tables::of("1.36").unwrap(), planned(&plan)).unwrap();
    insta::assert_snapshot!(lines(&judgement).join("\n"));
}

#[test]
fn generate_refuses_what_a_program_would_refuse() {
    let topology = topology(Cni::Bridge, NetworkMode::Segment);
    let error = refuse(&topology, &spoiled()).unwrap_err();
    insta::assert_snapshot!(common::report::render(&error));
}

#[test]
fn a_deprecated_flag_is_let_through_with_the_programs_words() {
    let topology = topology(Cni::Bridge, NetworkMode::Segment);
    let mut plan = plan(&topology);
    for node in &mut plan.nodes {
        if let Some(kubelet) = node.components.get_mut("kubelet") {
            kubelet.flags.insert("max-pods".into(), json!(30));
        }
    }
    let warnings = refuse(&topology, &plan).unwrap();
    assert_eq!(warnings.len(), 1);
    assert_eq!(
        warnings[0].nodes,
        BTreeSet::from(["east".to_owned(), "west".to_owned()])
    );
    assert!(
        warnings[0]
            .reason
            .starts_with("is deprecated: This parameter should be set via the config file"),
        "{}",
        warnings[0]
    );
}
