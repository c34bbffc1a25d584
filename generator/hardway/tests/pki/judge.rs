//! `hardway pki verify` on a PKI as it should be, and on each way in which it is not.

use std::fs;

use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::show::undated;
use crate::support::{Cluster, Told};

fn judged(cluster: &Cluster) -> Told {
    cluster.hardway(&["pki", "verify"])
}

#[test]
fn all_is_well() {
    let cluster = Cluster::generated();
    let told = judged(&cluster);
    assert_eq!((told.code, &*told.err), (0, ""));
    insta::assert_snapshot!(undated(&told.out));
    let told = cluster.hardway(&["pki", "verify", "--json"]);
    let value: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((told.code, &value["passed"]), (0, &true.into()));
    assert_eq!(value["checks"].as_array().unwrap().len(), 8);
}

#[test]
fn what_expires_within_the_days_that_are_asked_for() {
    let cluster = Cluster::generated();
    assert_eq!(cluster.hardway(&["pki", "verify", "--days", "364"]).code, 0);
    let told = cluster.hardway(&["pki", "verify", "--days", "366"]);
    assert_eq!(told.code, 1);
    assert!(
        told.out.contains("FAIL  expiry: admin: it expires on "),
        "{}",
        told.out
    );
    assert!(
        told.err
            .contains("\nhint: hardway pki renew admin etcd-peer-alpha "),
        "{}",
        told.err
    );
}

/// Puts a certificate for sigma's kubelet in place that `authority` signed, and that is
/// as it should be but for what `change` does.
fn forge(cluster: &Cluster, authority: &str, change: impl FnOnce(&mut CertificateParams)) {
    let key = KeyPair::from_pem(&cluster.read(&format!("{authority}-key.pem"))).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&cluster.read(&format!("{authority}.pem")), key).unwrap();
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
    params.not_before = OffsetDateTime::now_utc() - Duration::days(1);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(100);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    change(&mut params);
    let pem = params.signed_by(&key, &issuer).unwrap().pem();
    fs::write(cluster.file("kubelet-serving-sigma.pem"), pem).unwrap();
}

/// Each line that a failed check has, in one PKI after another.
#[test]
fn each_thing_that_can_be_wrong() {
    let mut all = String::new();
    let mut wrong = |what: &str, spoil: &dyn Fn(&Cluster)| {
        let cluster = Cluster::generated();
        spoil(&cluster);
        let told = judged(&cluster);
        assert_eq!(told.code, 1, "{what}: {}", told.out);
        all += &format!("--- {what}\n");
        let mut failed = false;
        for line in told.out.lines() {
            failed = line.starts_with("FAIL") || (failed && line.starts_with(' '));
            if failed {
                all += &format!("{}\n", undated(line));
            }
        }
        all += &undated(&told.err);
    };
    let name = "kubelet-serving-sigma.pem";
    let key = "kubelet-serving-sigma-key.pem";
    let now = OffsetDateTime::now_utc();
    wrong("expired", &|cluster| {
        forge(cluster, "ca", |params| {
            params.not_after = now - Duration::days(1);
        });
    });
    wrong("not yet valid", &|cluster| {
        forge(cluster, "ca", |params| {
            params.not_before = now + Duration::days(2);
        });
    });
    wrong("another authority", &|cluster| {
        forge(cluster, "etcd-ca", |_| ());
    });
    wrong("a swapped key", &|cluster| {
        fs::write(cluster.file(key), cluster.read("admin-key.pem")).unwrap();
    });
    wrong("cut short", &|cluster| {
        let whole = cluster.read(name);
        fs::write(cluster.file(name), &whole[..whole.len() / 2]).unwrap();
    });
    wrong("two in one file", &|cluster| {
        fs::write(cluster.file(name), cluster.read(name).repeat(2)).unwrap();
    });
    wrong("ten megabytes", &|cluster| {
        fs::write(cluster.file(name), "a".repeat(10 << 20)).unwrap();
    });
    wrong("all-powerful", &|cluster| {
        forge(cluster, "ca", |params| {
            params
                .distinguished_name
                .push(DnType::OrganizationName, "system:masters");
        });
    });
    wrong("a client too", &|cluster| {
        forge(cluster, "ca", |params| {
            params
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ClientAuth);
        });
    });
    wrong("an authority's", &|cluster| {
        forge(cluster, "ca", |params| {
            params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        });
    });
    wrong("a name too few", &|cluster| {
        forge(cluster, "ca", |params| params.subject_alt_names.truncate(1));
    });
    wrong("a name too many", &|cluster| {
        forge(cluster, "ca", |params| {
            let name = SanType::DnsName("gamma".try_into().unwrap());
            params.subject_alt_names.push(name);
        });
    });
    wrong("another pair of service accounts", &|cluster| {
        let other = Cluster::new();
        other.ensure();
        let pem = other.read("service-account.pem");
        fs::write(cluster.file("service-account.pem"), pem).unwrap();
    });
    wrong("a kubeconfig of somebody else", &|cluster| {
        let other = cluster.read("kube-scheduler.kubeconfig");
        fs::write(cluster.file("kube-proxy.kubeconfig"), other).unwrap();
    });
    wrong("a kubeconfig with old credentials", &|cluster| {
        let text = cluster.read("admin.kubeconfig");
        assert_eq!(cluster.hardway(&["pki", "renew", "admin"]).code, 0);
        fs::write(cluster.file("admin.kubeconfig"), text).unwrap();
    });
    wrong("a stranger with all powers", &|cluster| {
        let minutes = ["pki", "break-glass", "--minutes", "5", "--out"];
        let out = cluster.folder.path().join("b.kubeconfig");
        let out = out.to_str().unwrap();
        assert_eq!(cluster.hardway(&[&minutes[..], &[out]].concat()).code, 0);
        let text = fs::read_to_string(out).unwrap();
        let pem = crate::identities::embedded(&text, "client-certificate-data");
        fs::write(cluster.file("left.pem"), pem).unwrap();
    });
    insta::assert_snapshot!(all);
}

#[test]
fn credentials_that_a_kubeconfig_refers_to_are_followed() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let cluster = Cluster::generated();
    let mut text = cluster.read("admin.kubeconfig");
    for (field, file) in [
        ("certificate-authority", "ca.pem"),
        ("client-certificate", "admin.pem"),
        ("client-key", "admin-key.pem"),
    ] {
        let embedded = format!("{field}-data: {}", STANDARD.encode(cluster.read(file)));
        assert!(text.contains(&embedded));
        text = text.replace(&embedded, &format!("{field}: {file}"));
    }
    fs::write(cluster.file("admin.kubeconfig"), &text).unwrap();
    assert_eq!(judged(&cluster).code, 0);
    let text = text.replace("client-key: admin-key.pem", "client-key: gone.pem");
    fs::write(cluster.file("admin.kubeconfig"), &text).unwrap();
    let told = judged(&cluster);
    assert!(
        told.out.contains(
            "FAIL  kubeconfigs: admin.kubeconfig: what it has for admin-key.pem: there is no \
             DIR/.hardway/pki/gone.pem\n"
        ),
        "{}",
        told.out
    );
}

#[test]
fn a_name_that_a_person_added_is_told_and_allowed() {
    let cluster = Cluster::generated();
    cluster.edit("kube-apiserver-csr.json", |request| {
        let hosts = request["hosts"].as_array_mut().unwrap();
        hosts.push("api.example.org".into());
    });
    assert_eq!(cluster.hardway(&["generate"]).code, 0);
    let told = judged(&cluster);
    assert_eq!(told.code, 0, "{}", told.out);
    assert!(
        told.out
            .contains("hosts/pki: api.example.org for kube-apiserver\n"),
        "{}",
        told.out
    );
}

#[test]
fn breaking_the_glass_is_loud_and_short() {
    let cluster = Cluster::generated();
    let told = cluster.hardway(&["pki", "break-glass", "--minutes", "15"]);
    assert_eq!(told.code, 0);
    insta::assert_snapshot!(format!("{}---- stderr\n{}", told.out, told.err));
    let path = cluster.paths.state().join("break-glass.kubeconfig");
    let text = fs::read_to_string(&path).unwrap();
    let pem = crate::identities::embedded(&text, "client-certificate-data");
    let fields = crate::support::fields(&pem);
    assert_eq!(
        fields.subject,
        ["O=system:masters", "CN=hardway-break-glass"]
    );
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
    let until = pem.parse_x509().unwrap().validity().not_after.to_datetime();
    let left = until - OffsetDateTime::now_utc();
    assert!(
        left <= Duration::minutes(15) && left > Duration::minutes(14),
        "{left}"
    );
    // It is no friend's while it lasts.
    let judged = judged(&cluster);
    assert_eq!(judged.code, 1);
    assert!(
        judged.out.contains(
            "FAIL  kubeconfigs: DIR/.hardway/break-glass.kubeconfig may do everything until "
        ),
        "{}",
        judged.out
    );
    assert!(
        judged
            .err
            .ends_with("hint: rm DIR/.hardway/break-glass.kubeconfig\n"),
        "{}",
        judged.err
    );
    for minutes in ["0", "1441"] {
        assert_eq!(
            cluster
                .hardway(&["pki", "break-glass", "--minutes", minutes])
                .code,
            2
        );
    }
}
