//! cluster.json and cluster.env as a person meets them: what is accepted, and
//! the whole report when it is not.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy.toml covers test functions, not their helpers

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use ipnet::Ipv4Net;
use model::topology::{self, Sources, Topology};
use proptest::prelude::*;

fn parse(json: &str, env: &str, environment: &[(&str, &str)]) -> Result<Topology, String> {
    let environment: BTreeMap<String, String> = environment
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    topology::parse(&Sources {
        dir: Path::new("/cluster"),
        json,
        json_name: "cluster.json",
        env,
        env_name: "cluster.env",
        environment: &environment,
    })
    .map_err(|problems| problems.to_string())
}

/// The default cluster.json with some of its text replaced.
fn with(edits: &[(&str, &str)]) -> String {
    let mut json = topology::default_json().to_owned();
    for (old, new) in edits {
        assert_eq!(json.matches(old).count(), 1, "{old} is there once");
        json = json.replace(old, new);
    }
    json
}

/// One report for each edit of the default cluster.json, which must all be refused.
fn refused(edits: &[&[(&str, &str)]]) -> String {
    let mut reports = String::new();
    for edit in edits {
        let report = parse(&with(edit), "", &[]).expect_err(&format!("{edit:?} is refused"));
        for (old, new) in *edit {
            writeln!(reports, "# {old} -> {new}").unwrap();
        }
        writeln!(reports, "{report}\n").unwrap();
    }
    reports
}

const SIGMA: &str = r#""sigma": { "role": "worker", "address": "10.240.0.21" }"#;
const GAMMA: &str = r#""gamma": { "role": "worker", "address": "10.240.0.22" }"#;

/// The edits that turn a cluster's mode; Cilium can't be in that one.
const USER: [(&str, &str); 2] = [
    ("\"mode\": \"segment\"", "\"mode\": \"user\""),
    ("\"cilium\"", "\"bridge\""),
];

#[test]
fn the_default_cluster() {
    let topology = parse(topology::default_json(), topology::default_env(), &[]).unwrap();
    insta::assert_json_snapshot!(topology);
}

#[test]
fn the_defaults_are_those_of_the_default_files() {
    let bare = r#"{ "nodes": {
        "alpha": { "role": "control-plane", "address": "10.240.0.10" },
        "sigma": { "role": "worker", "address": "10.240.0.21" },
        "gamma": { "role": "worker", "address": "10.240.0.22" } } }"#;
    assert_eq!(
        parse(bare, "", &[]),
        parse(topology::default_json(), topology::default_env(), &[])
    );
}

/// Where a node is no virtual machine. User mode, in the example below, has none.
const OWN: &str = r#""machine": { "ssh": "admin@host.example", "interface": "eth0" }"#;

#[test]
fn every_field() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("my.nix"), "{ }").unwrap();
    let json = r#"{
      "$schema": "./cluster.schema.json",
      "name": "tiny", "kubernetesVersion": "1.36", "domain": "tiny.test", "cni": "bridge",
      "network": { "mode": "user", "pods": "172.21.0.0/16", "services": "172.22.0.0/28", "segment": "172.20.5.0/24" },
      "apiPort": 7443, "sshPortBase": 23000, "externalAuthorities": ["front-proxy-ca", "ca"],
      "machines": { "controlPlane": { "memory": 2048, "cpus": 1 }, "worker": { "memory": 1024, "cpus": 3 }, "disk": 8 },
      "nodes": {
        "west": { "role": "worker", "address": "172.20.5.7", "mac": "02:00:00:00:00:07", "uplinkMac": "02:00:00:00:01:07",
          "podCIDR": "172.21.200.0/24", "memory": 4096, "cpus": 4, "disk": 40, "sshPort": 2222,
          "forwards": [{ "host": 30080, "guest": 80 }], "modules": ["./my.nix"] },
        "hub": { "role": "control-plane", "address": "172.20.5.5" }
      }
    }"#;
    let topology = topology::parse(&Sources {
        dir: dir.path(),
        json,
        json_name: "cluster.json",
        env: "",
        env_name: "cluster.env",
        environment: &BTreeMap::new(),
    })
    .unwrap();
    assert_eq!(topology.nodes[1].modules, [dir.path().join("my.nix")]);
    insta::assert_json_snapshot!(topology, { ".nodes[].modules" => "[as written]" });

    // Nothing in the schema is missing above, so the reader knows every field that editors offer.
    let schema = topology::schema();
    let definitions = schema["$defs"].as_object().unwrap().values();
    for properties in definitions
        .chain([&schema])
        .filter_map(|one| one["properties"].as_object())
    {
        for field in properties.keys() {
            assert!(
                json.contains(&format!("{field:?}")) || OWN.contains(&format!("{field:?}")),
                "{field} is in the example"
            );
        }
    }
}

#[test]
fn text_that_is_not_json() {
    let mut reports = String::new();
    for text in [
        "",
        "{",
        "{ \"nodes\": {}, }",
        "{\n  // why\n}",
        "[1]",
        "{ 'a': 1 }",
        "{\"é\" 1}",
        "null",
    ] {
        writeln!(
            reports,
            "# {text:?}\n{}\n",
            parse(text, "", &[]).unwrap_err()
        )
        .unwrap();
    }
    let deep = "[".repeat(100_000);
    writeln!(
        reports,
        "# very deep\n{}",
        parse(&deep, "", &[]).unwrap_err()
    )
    .unwrap();
    insta::assert_snapshot!(reports);
}

#[test]
fn fields() {
    insta::assert_snapshot!(refused(&[
        &[("\"name\"", "\"nmae\"")],
        &[("\"pods\"", "\"POD_CIDR\"")],
        &[("\"nodes\"", "\"description\"")],
        &[("\"sigma\": { \"role\"", "\"sigma\": { \"rolle\"")],
        &[("\"cilium\"", "\"celium\"")],
        &[("\"cilium\"", "\"weave\"")],
        &[("\"segment\",", "\"users\",")],
        &[("\"1.36\"", "\"1.35\"")],
        &[("\"1.36\"", "1.36")],
        &[("\"control-plane\"", "\"master\"")],
        &[("\"domain\": \"cluster.local\"", "\"apiPort\": \"6443\"")],
        &[("\"domain\": \"cluster.local\"", "\"apiPort\": 0")],
        &[("\"domain\": \"cluster.local\"", "\"apiPort\": 65536")],
        &[("\"domain\": \"cluster.local\"", "\"apiPort\": 6443.5")],
        &[(
            "\"domain\": \"cluster.local\"",
            "\"machines\": { \"disk\": -1 }"
        )],
        &[("\"domain\": \"cluster.local\"", "\"domain\": null")],
        &[(SIGMA, "\"sigma\": []")],
        &[(SIGMA, "\"sigma\": { \"role\": \"worker\" }")],
        &[(
            SIGMA,
            &SIGMA.replace(
                " }",
                ", \"forwards\": [{ \"host\": 1 }, 2], \"modules\": [3] }"
            )
        )],
    ]));
}

#[test]
fn duplicate_keys_at_any_depth() {
    insta::assert_snapshot!(refused(&[
        &[("\"domain\"", "\"name\"")],
        &[("\"gamma\"", "\"sigma\"")],
        &[(GAMMA, &GAMMA.replace(" }", ", \"role\": \"worker\" }"))],
    ]));
}

#[test]
fn names() {
    let long = format!("\"{}\"", "a".repeat(64));
    insta::assert_snapshot!(refused(&[
        &[("\"sigma\"", "\"Sigma\"")],
        &[("\"sigma\"", "\"si.gma\""), ("10.240.0.21", "10.240.0")],
        &[("\"sigma\"", "\"-sigma\"")],
        &[("\"sigma\"", "\"\"")],
        &[("\"sigma\"", &long)],
        &[("\"sigma\"", "\"pki\"")],
        &[("\"sigma\"", "\"sigma-key\"")],
        &[("\"hardway\"", "\"hard way\"")],
        &[("\"cluster.local\"", "\"cluster..local\"")],
        &[("\"cluster.local\"", "\"cluster_local\"")],
    ]));
}

#[test]
fn addresses() {
    insta::assert_snapshot!(refused(&[
        &[("10.240.0.22", "10.240.0.21")],
        &[("10.240.0.21", "10.240.0.300")],
        &[("10.240.0.21", "10.241.0.21")],
        &[("10.240.0.21", "10.240.0.0")],
        &[("10.240.0.21", "10.240.0.255")],
        &[(
            SIGMA,
            &SIGMA.replace(" }", ", \"mac\": \"52:54:00:f0:00:16\" }")
        )],
        &[(
            SIGMA,
            &SIGMA.replace(
                " }",
                ", \"mac\": \"02:00:00:00:00:01\", \"uplinkMac\": \"02:00:00:00:00:01\" }"
            )
        )],
        &[(
            SIGMA,
            &SIGMA.replace(" }", ", \"mac\": \"53:54:00:f0:00:16\" }")
        )],
        &[(
            SIGMA,
            &SIGMA.replace(" }", ", \"mac\": \"00:00:00:00:00:00\" }")
        )],
        &[(
            SIGMA,
            &SIGMA.replace(" }", ", \"mac\": \"52-54-00-f0-00-15\" }")
        )],
    ]));
}

#[test]
fn ranges() {
    insta::assert_snapshot!(refused(&[
        &[("10.200.0.0/16", "10.200.0.0")],
        &[("10.200.0.0/16", "10.200.1.0/16")],
        &[("10.200.0.0/16", "10.0.0.0/8")],
        &[("10.200.0.0/16", "10.0.0.0/15")],
        &[("10.200.0.0/16", "10.200.0.0/20")],
        &[("10.200.0.0/16", "10.200.0.0/25")],
        &[("10.200.0.0/16", "8.0.0.0/7")],
        &[("10.32.0.0/24", "10.32.0.0/29")],
        &[("10.32.0.0/24", "127.0.0.0/24")],
        &[("10.32.0.0/24", "10.0.2.128/25")],
        &[
            ("\"pods\": \"10.200.0.0/16\",", ""),
            ("10.32.0.0/24", "10.200.3.0/24")
        ],
        &[("10.240.0.0/24", "10.32.0.0/24")],
        &[(
            SIGMA,
            &SIGMA.replace(" }", ", \"podCIDR\": \"10.200.22.0/24\" }")
        )],
        &[(
            SIGMA,
            &SIGMA.replace(" }", ", \"podCIDR\": \"10.201.22.0/24\" }")
        )],
        &[(
            SIGMA,
            &SIGMA.replace(" }", ", \"podCIDR\": \"10.200.16.0/20\" }")
        )],
    ]));
}

#[test]
fn ports() {
    let forward = |host: u16| {
        SIGMA.replace(
            " }",
            &format!(", \"forwards\": [{{ \"host\": {host}, \"guest\": 80 }}] }}"),
        )
    };
    insta::assert_snapshot!(refused(&[
        &[(SIGMA, &forward(6443))],
        &[
            (SIGMA, &forward(30080)),
            (
                "10.240.0.22\" }",
                "10.240.0.22\", \"forwards\": [{ \"host\": 30080, \"guest\": 1 }] }"
            )
        ],
        &[USER[0], USER[1], (SIGMA, &forward(10251))],
        &[
            ("\"domain\": \"cluster.local\"", "\"apiPort\": 10250"),
            USER[0],
            USER[1]
        ],
        &[
            ("\"domain\": \"cluster.local\"", "\"apiPort\": 443"),
            USER[0],
            USER[1]
        ],
        &[
            ("\"domain\": \"cluster.local\"", "\"apiPort\": 10257"),
            USER[0],
            USER[1]
        ],
    ]));
    assert!(
        parse(&with(&[(SIGMA, &forward(10250))]), "", &[]).is_ok(),
        "free in segment mode"
    );
    let json = with(&[(SIGMA, &forward(7443))]);
    insta::assert_snapshot!(parse(&json, "# ports\nAPI_PORT=7443\n", &[]).unwrap_err());
    let user = with(&USER);
    insta::assert_snapshot!(parse(&user, "API_PORT=2379\n", &[]).unwrap_err());
    assert!(parse(&user, "API_PORT=7443\n", &[]).is_ok());
    let segment = topology::default_json();
    assert!(
        parse(segment, "API_PORT=443\n", &[]).is_ok(),
        "the host's alone"
    );
}

/// Each guest's port for ssh follows its address, stays when nodes come and go, and is
/// nobody else's.
#[test]
fn ports_for_ssh() {
    let ports = |json: &str, env: &str, environment: &[(&str, &str)]| -> Vec<u16> {
        let topology = parse(json, env, environment).unwrap();
        let guests = topology.nodes.iter().filter_map(|node| node.guest());
        guests.map(|guest| guest.ssh_port).collect()
    };
    let own = with(&[(SIGMA, &SIGMA.replace(" }", ", \"sshPort\": 2222 }"))]);
    assert_eq!(ports(&own, "", &[]), [22010, 22022, 2222]);
    let moved = [("SSH_PORT_BASE", "24000")];
    assert_eq!(
        ports(&own, "SSH_PORT_BASE=23000\n", &[]),
        [23010, 23022, 2222]
    );
    assert_eq!(
        ports(&own, "SSH_PORT_BASE=23000\n", &moved),
        [24010, 24022, 2222]
    );

    let refuse = |field: &str| -> String {
        refused(&[&[(SIGMA, &SIGMA.replace(" }", &format!(", {field} }}")))]])
    };
    let mut reports = refuse("\"sshPort\": 22022") + &refuse("\"sshPort\": 0");
    reports += &refuse("\"forwards\": [{ \"host\": 22021, \"guest\": 80 }]");
    // macOS: the segment's UDP ports, those of the same number and 5000 higher.
    reports += &refuse("\"sshPort\": 27022");
    reports += &refuse("\"sshPort\": 60536");
    let base = [("\"domain\": \"cluster.local\"", "\"sshPortBase\": 6422")];
    reports += &refused(&[&base]);
    for env in ["SSH_PORT_BASE=65520", "SSH_PORT_BASE=0", "SSH_PORT_BASE=x"] {
        let report = parse(topology::default_json(), env, &[]).unwrap_err();
        writeln!(reports, "# {env}\n{report}\n").unwrap();
    }
    insta::assert_snapshot!(reports);
}

/// Whether Cilium is written there or is the default.
#[test]
fn authorities_elsewhere() {
    let external = |list: &str| {
        [(
            "\"cni\"",
            format!("\"externalAuthorities\": {list}, \"cni\""),
        )]
    };
    let edits = [
        r#"["kubernetes-ca", "etcd", "ca"]"#,
        r#"["ca", "etcd-ca", "ca"]"#,
        r#""ca""#,
    ]
    .map(external);
    let edits = edits
        .each_ref()
        .map(|edit| edit.each_ref().map(|(old, new)| (*old, &**new)));
    let edits: Vec<&[(&str, &str)]> = edits.iter().map(|edit| &edit[..]).collect();
    insta::assert_snapshot!(refused(&edits));
}

#[test]
fn cilium_is_not_for_user_mode() {
    insta::assert_snapshot!(refused(&[
        &[USER[0]],
        &[USER[0], ("\"cni\": \"cilium\",", "")]
    ]));
}

#[test]
fn roles_and_sizes() {
    insta::assert_snapshot!(refused(&[
        &[("\"control-plane\"", "\"worker\"")],
        &[(
            SIGMA,
            "\"sigma\": { \"role\": \"control-plane\", \"address\": \"10.240.0.21\" }"
        )],
        &[(
            &format!("{SIGMA},\n    {GAMMA}"),
            "\"beta\": { \"role\": \"control-plane\", \"address\": \"10.240.0.11\" }"
        )],
        &[("\"nodes\": {", "\"nodes\": {}, \"machines\": {")],
        &[(
            SIGMA,
            &SIGMA.replace(" }", ", \"memory\": 512, \"cpus\": 0, \"disk\": 4 }")
        )],
        &[("\"control-plane\"", "\"control-plane\", \"memory\": 1024")],
        &[(
            "\"domain\": \"cluster.local\"",
            "\"machines\": { \"worker\": { \"memory\": 8 } }"
        )],
    ]));
}

#[test]
fn modules() {
    let module = |path: &str| SIGMA.replace(" }", &format!(", \"modules\": [{path:?}] }}"));
    insta::assert_snapshot!(refused(&[
        &[(SIGMA, &module("./my.nix"))],
        &[(SIGMA, &module("/"))]
    ]));
}

#[test]
fn cluster_env() {
    let mut reports = String::new();
    for env in [
        "WORKER_MEMORY=4096",
        "NOPE=1",
        "WORKER_MEM=4G",
        "WORKER_MEM=",
        "WORKER_MEM = 4096",
        "WORKER_MEM= 4096",
        "WORKER_MEM=\"4096",
        "WORKER_MEM",
        "WORKER_MEM=4096 CONTROL_PLANE_MEM=4096",
        "WORKER_MEM=4096\n\nWORKER_MEM=8192",
        "WORKER_MEM=512\nCONTROL_PLANE_MEM=1024",
        "WORKER_CPUS=0\nCONTROL_PLANE_CPUS=1000\nDISK_SIZE=7G",
        "API_PORT=70000",
    ] {
        let report = parse(topology::default_json(), env, &[]).unwrap_err();
        writeln!(reports, "# {env:?}\n{report}\n").unwrap();
    }
    let environment = [("WORKER_MEM", "much")];
    let report = parse(topology::default_json(), "", &environment).unwrap_err();
    writeln!(reports, "# in the environment\n{report}").unwrap();
    insta::assert_snapshot!(reports);
}

#[test]
fn who_wins() {
    let json = with(&[
        (
            "\"domain\": \"cluster.local\"",
            "\"machines\": { \"worker\": { \"memory\": 1111 } }",
        ),
        (SIGMA, &SIGMA.replace(" }", ", \"memory\": 4444 }")),
    ]);
    let workers = |env: &str, environment: &[(&str, &str)]| -> Vec<u32> {
        let topology = parse(&json, env, environment).unwrap();
        topology
            .workers()
            .map(|node| node.guest().unwrap().memory)
            .collect()
    };
    let file = "# sizes\r\nexport WORKER_MEM='2222' # MiB\r\n";
    assert_eq!(workers("", &[]), [1111, 4444]);
    assert_eq!(workers(file, &[]), [2222, 4444]);
    assert_eq!(workers(file, &[("WORKER_MEM", "")]), [2222, 4444]);
    assert_eq!(workers(file, &[("WORKER_MEM", "3333")]), [3333, 4444]);
    let disk = |size: &str| {
        let topology = parse(&json, size, &[]).unwrap();
        topology.nodes[0].guest().unwrap().disk
    };
    assert_eq!((disk("DISK_SIZE=30"), disk("DISK_SIZE=30G")), (30, 30));
}

#[test]
fn all_problems_at_once_in_the_order_of_the_files() {
    let json = r#"{
  "cni": "celium",
  "network": { "pods": "10.200.0.0/16", "services": "10.200.1.0/24", "mtu": 1400 },
  "nodes": {
    "sigma": { "role": "worker", "address": "10.240.0.21", "memory": 512 },
    "alpha": { "role": "control-plane", "address": "10.240.0.10", "address": "10.240.0.11" },
    "Gamma": { "role": "worker", "address": "10.240.0.21", "forwards": [{ "host": 6443, "guest": 80 }] }
  }
}"#;
    insta::assert_snapshot!(
        parse(
            json,
            "WORKER_MEMS=1\nCONTROL_PLANE_MEM=1\n",
            &[("API_PORT", "x")]
        )
        .unwrap_err()
    );
}

/// Workers behind one control plane, all on a segment that holds them.
fn large(workers: u32) -> String {
    let mut nodes =
        String::from(r#""alpha": { "role": "control-plane", "address": "10.240.0.10" }"#);
    for n in 0..workers {
        let (high, low) = ((n + 20) / 256, (n + 20) % 256);
        write!(
            nodes,
            ",\n\"worker-{n}\": {{ \"role\": \"worker\", \"address\": \"10.240.{high}.{low}\" }}"
        )
        .unwrap();
    }
    format!(
        "{{ \"network\": {{ \"pods\": \"10.64.0.0/10\", \"segment\": \"10.240.0.0/16\" }}, \"nodes\": {{ {nodes} }} }}"
    )
}

#[test]
fn five_hundred_nodes() {
    let json = large(499);
    let topology = parse(&json, "", &[]).unwrap();
    assert_eq!(topology.nodes.len(), 500);
    let clashing = json.replace("10.240.0.", "10.240.1.");
    let report = parse(&clashing, "", &[]).unwrap_err();
    assert!(report.starts_with("cluster.json has 2"), "{report}");
}

#[test]
fn user_mode_has_addresses_for_240_nodes() {
    let user = |workers| {
        let json = large(workers).replace("{ \"pods\"", "{ \"mode\": \"user\", \"pods\"");
        json.replacen('{', "{ \"cni\": \"bridge\",", 1)
    };
    assert!(parse(&user(239), "", &[]).is_ok());
    let report = parse(&user(240), "", &[]).unwrap_err();
    assert_eq!(
        report,
        "cluster.json has 1 problem\n  \
         cluster.json:1:41: network.mode: user mode has addresses for 240 nodes, there are 241\n    \
         hint: set \"mode\": \"segment\""
    );
}

/// 10256 is kube-proxy's on every worker: the seventh kubelet can't have it too.
#[test]
fn in_user_mode_no_kubelet_takes_kube_proxys_port() {
    let ports: Vec<u16> = model::topology::user_mode_kubelet_ports().take(8).collect();
    assert_eq!(
        ports,
        [10250, 10251, 10252, 10253, 10254, 10255, 10257, 10258]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Any text gives a topology or a report, and a report names its file.
    #[test]
    fn no_text_makes_it_panic(
        cut in any::<prop::sample::Index>(),
        length in 0usize..12,
        put in r#"[\[\]{}",:0-9a-zé/.\n-]{0,8}"#,
        env in r#"[A-Z_=0-9"' #\n]{0,30}"#,
    ) {
        let mut chars: Vec<char> = topology::default_json().chars().collect();
        let start = cut.index(chars.len());
        let end = (start + length).min(chars.len());
        chars.splice(start..end, put.chars());
        let json: String = chars.into_iter().collect();
        if let Err(report) = parse(&json, &env, &[]) {
            prop_assert!(report.starts_with("cluster."), "{}", report);
        }
    }

    /// No two files of the PKI have one name, whatever the nodes are called.
    #[test]
    fn any_names_give_files_of_their_own(
        names in prop::collection::vec(
            prop::collection::vec(
                prop::sample::select(vec![
                    "a", "b", "ca", "client", "csr", "etcd", "key", "kube", "apiserver",
                    "kubelet", "peer", "proxy", "server", "serving",
                ]),
                1..4,
            ),
            3,
        ),
        cni in prop::sample::select(vec!["bridge", "cilium"]),
    ) {
        let names: Vec<String> = names.iter().map(|words| words.join("-")).collect();
        let json = with(&[("\"alpha\"", &format!("{:?}", names[0]))])
            .replace("\"sigma\"", &format!("{:?}", names[1]))
            .replace("\"gamma\"", &format!("{:?}", names[2]))
            .replace("\"cilium\"", &format!("{cni:?}"));
        let Ok(topology) = parse(&json, "", &[]) else {
            // Two nodes of one name, or one that is refused.
            let distinct: BTreeSet<&String> = names.iter().collect();
            prop_assert!(distinct.len() < 3 || names.iter().any(|name| name.ends_with("-key")));
            return Ok(());
        };
        let plan = model::plan::plan(&topology);
        let mut files: Vec<String> = vec![
            "encryption-config.yaml".into(),
            "service-account.pem".into(),
            "service-account-key.pem".into(),
        ];
        let stems = plan.certificates.iter().map(|request| request.name.as_str());
        for stem in stems.chain(model::plan::Authority::ALL.map(model::plan::Authority::stem)) {
            files.extend([".pem", "-key.pem", "-csr.json"].map(|end| format!("{stem}{end}")));
        }
        let kubeconfigs = plan.kubeconfigs.iter();
        files.extend(kubeconfigs.map(|one| format!("{}.kubeconfig", one.name)));
        let mut seen = BTreeSet::new();
        for file in files {
            prop_assert!(seen.insert(file.clone()), "{names:?} write {file} twice");
        }
    }

    /// Whatever is accepted has no overlap and no address twice.
    #[test]
    fn what_is_accepted_has_no_clash(
        pods in (0u8..4, 12u8..=24), services in (0u8..4, 20u8..=28), segment in (0u8..4, 20u8..=29),
        addresses in prop::collection::vec(0u8..8, 3),
    ) {
        let net = |(second, length): (u8, u8)| format!("10.{}.0.0/{length}", second * 4);
        let address = |n: usize| format!("10.{}.0.{}", segment.0 * 4, addresses[n]);
        let json = with(&[
            ("10.200.0.0/16", &net(pods)),
            ("10.32.0.0/24", &net(services)),
            ("10.240.0.0/24", &net(segment)),
            ("10.240.0.10", &address(0)),
            ("10.240.0.21", &address(1)),
            ("10.240.0.22", &address(2)),
        ]);
        if let Ok(topology) = parse(&json, "", &[]) {
            let network = &topology.network;
            let slirp: Ipv4Net = "10.0.2.0/24".parse().unwrap();
            let ranges = [network.pods, network.services, network.segment, slirp];
            for (index, a) in ranges.iter().enumerate() {
                for b in &ranges[..index] {
                    prop_assert!(!a.contains(b) && !b.contains(a), "{} and {}", a, b);
                }
            }
            for (index, node) in topology.nodes.iter().enumerate() {
                prop_assert!(network.segment.contains(&node.address));
                prop_assert!(network.pods.contains(&node.pod_cidr));
                for other in &topology.nodes[..index] {
                    prop_assert!(node.address != other.address && node.pod_cidr != other.pod_cidr);
                    let mac = |node: &topology::Node| node.guest().map(|guest| guest.segment_mac);
                    prop_assert!(mac(node) != mac(other));
                }
            }
        }
    }
}

/// A worker on a machine of one's own, with more fields.
fn remote(more: &str) -> String {
    format!(
        r#""role": "worker", "address": "10.240.0.21", "machine": {{ "ssh": "root@192.0.2.21"{more} }}"#
    )
}

#[test]
fn machines_of_ones_own() {
    let json = topology::default_json()
        .replace("\"cni\": \"cilium\"", "\"cni\": \"bridge\"")
        .replace("\"address\": ", &format!("{OWN}, \"address\": "));
    insta::assert_json_snapshot!(parse(&json, "WORKER_MEM=4096\n", &[]).unwrap().nodes);
}

#[test]
fn machines_of_ones_own_that_are_refused() {
    let old = r#""role": "worker", "address": "10.240.0.21""#;
    let bridge = ("\"cni\": \"cilium\"", "\"cni\": \"bridge\"");
    insta::assert_snapshot!(refused(&[
        // Beside two virtual ones.
        &[(old, &remote(""))],
        &[(
            old,
            &remote("").replace("root@192.0.2.21", "root@-oProxyCommand=x")
        )],
        &[(old, &remote("").replace("root@192.0.2.21", "a b@host"))],
        &[(old, &remote(", \"interface\": \"a name too long\""))],
        &[(old, &remote("").replace("\"ssh\": \"root@192.0.2.21\"", ""))],
        &[(
            old,
            &(remote("") + ", \"memory\": 4096, \"mac\": \"52:54:00:00:00:01\"")
        )],
        &[(old, &remote("")), bridge],
        &[
            (old, &remote("")),
            ("\"mode\": \"segment\"", "\"mode\": \"user\"")
        ],
    ]));
}
