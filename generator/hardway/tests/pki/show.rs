//! `hardway pki show`, as people and programs read it.

use serde_json::Value;

use crate::support::Cluster;

/// `text` without what differs from run to run.
pub(crate) fn undated(text: &str) -> String {
    let mut words = Vec::new();
    for line in text.split_inclusive('\n') {
        for word in line.split_inclusive(' ') {
            let bare = word.trim_end_matches([' ', '\n', ',', ':']);
            let date = bare.len() == 10
                && bare.split('-').count() == 3
                && bare
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || byte == b'-');
            words.push(match (date, bare.strip_prefix('(')) {
                (true, _) => word.replace(bare, "DATE"),
                (_, Some(days)) if days.parse::<u32>().is_ok() => word.replace(days, "N"),
                _ => word.to_owned(),
            });
        }
    }
    words.concat()
}

#[test]
fn a_tree_of_all() {
    let cluster = Cluster::generated();
    let told = cluster.hardway(&["pki", "show"]);
    assert_eq!((told.code, &*told.err), (0, ""));
    insta::assert_snapshot!(undated(&told.out));
}

#[test]
fn one_of_them() {
    let cluster = Cluster::generated();
    let told = cluster.hardway(&["pki", "show", "kubelet-serving-sigma"]);
    let shown: String = told
        .out
        .lines()
        .map(|line| match line.split_once(' ') {
            Some((head @ ("valid" | "serial" | "SHA-256"), _)) => format!("{head} …\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    insta::assert_snapshot!(shown);
    let told = cluster.hardway(&["pki", "show", "kubelet-serving-sigm"]);
    assert_eq!(
        (told.code, &*told.err),
        (
            1,
            "error: there is no certificate \"kubelet-serving-sigm\"\nhint: did you mean \
             kubelet-serving-sigma?\n"
        )
    );
}

#[test]
fn the_same_as_data() {
    let cluster = Cluster::generated();
    let told = cluster.hardway(&["pki", "show", "--json"]);
    let all: Vec<Value> = serde_json::from_str(&told.out).unwrap();
    assert_eq!(all.len(), cluster.plan.certificates.len() + 3);
    let one = all.iter().find(|one| one["name"] == "kubelet-client-sigma");
    let mut one = one.unwrap().clone();
    for field in ["notBefore", "notAfter", "days", "serial", "sha256"] {
        assert!(!one[field].is_null(), "{field}");
        one[field] = "…".into();
    }
    insta::assert_json_snapshot!(one);
}

#[test]
fn what_cannot_be_read_is_shown_with_the_reason() {
    let cluster = Cluster::generated();
    std::fs::write(cluster.file("admin.pem"), "cut").unwrap();
    std::fs::remove_file(cluster.file("kube-proxy.pem")).unwrap();
    let told = cluster.hardway(&["pki", "show"]).out;
    assert!(
        told.contains("admin  its certificate is not whole PEM"),
        "{told}"
    );
    assert!(
        told.contains("kube-proxy  there is no DIR/.hardway/pki/kube-proxy.pem\n"),
        "{told}"
    );
}
