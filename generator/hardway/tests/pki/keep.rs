//! What is kept, and what is issued anew, for which reason.

use std::fs;
use std::os::unix::fs::MetadataExt;

use model::plan::{Authority, Usage};
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use time::{Duration, OffsetDateTime};

use crate::support::{Cluster, fields};

/// Runs again and expects exactly `issued`, for `reason` as far as there is one.
#[track_caller]
fn expect(cluster: &Cluster, issued: &[&str], reason: Option<&str>) {
    let before = cluster.files();
    let summary = cluster.ensure();
    assert_eq!(summary.issued, issued);
    assert_eq!(
        summary
            .reasons
            .values()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        Vec::from_iter(reason),
    );
    // Files of its name only have changed, and the run after that changes none.
    let after = cluster.files();
    for (name, bytes) in &after {
        let stem = name.trim_end_matches(".pem").trim_end_matches("-key");
        let changed = before.get(name) != Some(bytes);
        assert_eq!(changed, issued.contains(&stem), "{name}");
    }
    assert_eq!(cluster.ensure().issued, [""; 0]);
    assert_eq!(cluster.files(), after);
}

fn made() -> Cluster {
    let cluster = Cluster::new();
    cluster.ensure();
    cluster
}

#[test]
fn a_second_run_writes_nothing() {
    let cluster = Cluster::new();
    let first = cluster.ensure();
    assert_eq!((first.kept, first.reasons.len()), (0, 0));
    let inodes = || -> Vec<u64> {
        cluster
            .files()
            .keys()
            .map(|name| fs::metadata(cluster.file(name)).unwrap().ino())
            .collect()
    };
    let before = inodes();
    let second = cluster.ensure();
    assert_eq!(second.issued, [""; 0]);
    assert_eq!(second.kept, first.issued.len());
    assert_eq!(inodes(), before);
}

#[test]
fn a_changed_request_gives_a_new_certificate_and_kubeconfig() {
    let mut cluster = made();
    let request = |cluster: &Cluster, name: &str| {
        cluster
            .plan
            .certificates
            .iter()
            .position(|leaf| leaf.name == name)
            .unwrap()
    };
    let api = request(&cluster, "kube-apiserver");
    cluster.plan.certificates[api]
        .hosts
        .push("192.0.2.7".into());
    expect(
        &cluster,
        &["kube-apiserver"],
        Some("its names have changed"),
    );
    assert!(
        fields(&cluster.read("kube-apiserver.pem"))
            .names
            .contains(&"IP 192.0.2.7".into())
    );

    let admin = request(&cluster, "admin");
    cluster.plan.certificates[admin].organization = Some("operators".into());
    expect(
        &cluster,
        &["admin", "admin.kubeconfig"],
        Some("its subject was O=hardway:cluster-admins, CN=admin"),
    );
    cluster.plan.certificates[api].usage = Usage::Peer;
    expect(
        &cluster,
        &["kube-apiserver"],
        Some("its usages have changed"),
    );
}

#[test]
fn a_changed_server_rewrites_the_kubeconfig_alone() {
    let mut cluster = made();
    cluster.plan.kubeconfigs[0].server = "https://192.0.2.7:7443".into();
    let name = format!("{}.kubeconfig", cluster.plan.kubeconfigs[0].name);
    expect(&cluster, &[&name], None);
}

#[test]
fn a_replaced_authority_replaces_all_that_it_signed_and_nothing_else() {
    let cluster = made();
    for authority in Authority::ALL {
        let stem = authority.stem();
        fs::remove_file(cluster.file(&format!("{stem}.pem"))).unwrap();
        fs::remove_file(cluster.file(&format!("{stem}-key.pem"))).unwrap();
        let summary = cluster.ensure();
        let signed: Vec<&str> = cluster
            .plan
            .certificates
            .iter()
            .filter(|leaf| leaf.authority == authority)
            .map(|leaf| leaf.name.as_str())
            .collect();
        assert_eq!(summary.reasons.keys().collect::<Vec<_>>(), signed);
        assert!(
            summary
                .reasons
                .values()
                .all(|reason| reason == "another authority signed it")
        );
        // And the copy that signs over the API.
        let copies = match authority {
            Authority::Cluster => 1 + cluster.plan.kubeconfigs.len(),
            _ => 0,
        };
        assert_eq!(summary.issued.len(), 1 + signed.len() + copies);
        assert_eq!(cluster.ensure().issued, [""; 0]);
    }
}

#[test]
fn a_run_that_was_cut_short_is_finished_by_the_next() {
    // Keys are written before their certificates.
    let cluster = made();
    fs::remove_file(cluster.file("etcd-ca.pem")).unwrap();
    let before = cluster.read("etcd-ca-key.pem");
    assert_eq!(cluster.ensure().issued, ["etcd-ca"]);
    assert_eq!(cluster.read("etcd-ca-key.pem"), before);

    fs::remove_file(cluster.file("admin.pem")).unwrap();
    expect(
        &cluster,
        &["admin", "admin.kubeconfig"],
        Some("its certificate is missing"),
    );
    fs::remove_file(cluster.file("admin-key.pem")).unwrap();
    expect(
        &cluster,
        &["admin", "admin.kubeconfig"],
        Some("its key is missing"),
    );
    fs::remove_file(cluster.file("service-account.pem")).unwrap();
    let key = cluster.read("service-account-key.pem");
    assert_eq!(cluster.ensure().issued, ["service-account"]);
    assert_eq!(cluster.read("service-account-key.pem"), key);
    fs::remove_file(cluster.file("admin.kubeconfig")).unwrap();
    expect(&cluster, &["admin.kubeconfig"], None);
}

#[test]
fn a_broken_leaf_is_issued_anew() {
    let cluster = made();
    let whole = cluster.read("kube-proxy.pem");
    let key = cluster.read("kube-proxy-key.pem");
    let issued = ["kube-proxy", "kube-proxy.kubeconfig"];
    let body = whole.lines().nth(1).unwrap();
    let cases = [
        (
            "kube-proxy.pem",
            whole[..whole.len() / 2].to_owned(),
            "its certificate is not whole PEM",
        ),
        (
            "kube-proxy.pem",
            String::new(),
            "its certificate is not whole PEM",
        ),
        (
            "kube-proxy.pem",
            whole.repeat(2),
            "its certificate file holds more than one certificate",
        ),
        (
            "kube-proxy.pem",
            key.clone(),
            "its certificate file holds \"PRIVATE KEY\"",
        ),
        (
            "kube-proxy.pem",
            whole.replace(body, ""),
            "its certificate is unusable",
        ),
        (
            "kube-proxy.pem",
            cluster.read("admin.pem"),
            "its subject was O=hardway:cluster-admins, CN=admin",
        ),
        (
            "kube-proxy-key.pem",
            key[..60].to_owned(),
            "its key is unusable: it is not whole PEM",
        ),
        (
            "kube-proxy-key.pem",
            key.replace(" PRIVATE", " EC PRIVATE"),
            "its key is unusable: it holds \"PRIVATE KEY\" and calls it \"EC PRIVATE KEY\"",
        ),
        (
            "kube-proxy-key.pem",
            cluster.read("admin-key.pem"),
            "its key does not belong to it",
        ),
    ];
    for (name, text, reason) in cases {
        fs::write(cluster.file(name), text).unwrap();
        let summary = cluster.ensure();
        assert_eq!(summary.issued, issued, "{reason}");
        let told = &summary.reasons["kube-proxy"];
        assert!(told.starts_with(reason), "{told:?} is not {reason:?}");
        assert_eq!(cluster.ensure().issued, [""; 0]);
    }
}

/// Puts a certificate for `kubelet-serving-sigma` in place, signed by the
/// cluster's authority, that is as wanted but for what `change` does.
fn forge(cluster: &Cluster, change: impl FnOnce(&mut CertificateParams)) {
    let authority = KeyPair::from_pem(&cluster.read("ca-key.pem")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&cluster.read("ca.pem"), authority).unwrap();
    let key = KeyPair::from_pem(&cluster.read("kubelet-serving-sigma-key.pem")).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "system:nodes");
    params
        .distinguished_name
        .push(DnType::CommonName, "system:node:sigma");
    params.subject_alt_names = vec![
        SanType::DnsName("sigma".try_into().unwrap()),
        SanType::IpAddress([10, 240, 0, 21].into()),
    ];
    params.not_before = OffsetDateTime::now_utc() - Duration::days(100);
    params.not_after = params.not_before + Duration::days(365);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    change(&mut params);
    let pem = params.signed_by(&key, &issuer).unwrap().pem();
    fs::write(cluster.file("kubelet-serving-sigma.pem"), pem).unwrap();
}

#[test]
fn a_certificate_that_another_tool_signed_as_wanted_is_kept() {
    let cluster = made();
    forge(&cluster, |_| ());
    expect(&cluster, &[], None);
    // The order of the names is nobody's business.
    forge(&cluster, |params| params.subject_alt_names.reverse());
    expect(&cluster, &[], None);
    forge(&cluster, |params| {
        params.not_before = OffsetDateTime::now_utc() - Duration::days(365 - 31);
        params.not_after = params.not_before + Duration::days(365);
    });
    expect(&cluster, &[], None);
}

#[test]
fn a_certificate_out_of_its_time_is_issued_anew() {
    let cluster = made();
    let now = OffsetDateTime::now_utc();
    let day = |days: i64| now + Duration::days(days);
    let cases = [
        (
            day(-100),
            day(29),
            format!("it expires on {}", day(29).date()),
        ),
        (
            day(-100),
            day(-1),
            format!("it expired on {}", day(-1).date()),
        ),
        (
            day(1),
            day(100),
            format!("it is not valid before {}", day(1).date()),
        ),
    ];
    for (from, until, reason) in cases {
        forge(&cluster, |params| {
            (params.not_before, params.not_after) = (from, until);
        });
        expect(&cluster, &["kubelet-serving-sigma"], Some(&reason));
    }
}

#[test]
fn a_certificate_more_powerful_than_wanted_is_issued_anew() {
    type Change = fn(&mut CertificateParams);
    let cases: [(Change, &str); 8] = [
        (
            |params| {
                params
                    .distinguished_name
                    .push(DnType::OrganizationName, "system:masters");
            },
            "its subject was O=system:masters, CN=system:node:sigma",
        ),
        (
            |params| {
                params
                    .distinguished_name
                    .push(DnType::OrganizationalUnitName, "more");
            },
            "its subject was O=system:nodes, CN=system:node:sigma, OU=more",
        ),
        (
            |params| {
                params
                    .subject_alt_names
                    .push(SanType::DnsName("gamma".try_into().unwrap()));
            },
            "its names have changed",
        ),
        (
            // An address written as a name matches no address.
            |params| {
                params.subject_alt_names[1] = SanType::DnsName("10.240.0.21".try_into().unwrap());
            },
            "its names have changed",
        ),
        (
            |params| {
                params
                    .extended_key_usages
                    .push(ExtendedKeyUsagePurpose::ClientAuth);
            },
            "its usages have changed",
        ),
        (
            |params| {
                params
                    .extended_key_usages
                    .push(ExtendedKeyUsagePurpose::Any);
            },
            "its usages have changed",
        ),
        (
            |params| params.key_usages.push(KeyUsagePurpose::KeyCertSign),
            "its usages have changed",
        ),
        (
            |params| params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained),
            "its usages have changed",
        ),
    ];
    let cluster = made();
    for (change, reason) in cases {
        forge(&cluster, change);
        expect(&cluster, &["kubelet-serving-sigma"], Some(reason));
    }
}
