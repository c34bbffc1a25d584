//! `hardway top`: the host's figures of each process, the guests' own of the rest.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Cluster;

#[test]
fn each_machine_and_its_guest() {
    let mut cluster = Cluster::new(|_| (404, json!({})));
    cluster.machine("alpha", Duration::ZERO, |words| {
        assert_eq!(words, ["cat", "/proc/loadavg", "/proc/meminfo"]);
        let text = "0.52 0.40 0.21 2/180 42\nMemTotal: 3145728 kB\nMemAvailable: 2097152 kB\n";
        (0, text.to_owned())
    });
    let said = cluster.hardway(&["top", "--json"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let machines: Value = serde_json::from_str(&said.stdout).unwrap();
    let (alpha, sigma) = (&machines[0], &machines[1]);
    assert_eq!(
        alpha["guest"],
        json!({ "load": [0.52, 0.4, 0.21], "usedMiB": 1024, "totalMiB": 3072 })
    );
    assert!(alpha["cpuPercent"].is_number(), "{alpha}");
    assert!(alpha["residentMiB"].is_number(), "{alpha}");
    assert_eq!(alpha["memoryMiB"], 2048);
    assert_eq!(
        *sigma,
        json!({
            "name": "sigma", "running": false, "cpuPercent": null, "residentMiB": null,
            "memoryMiB": 1024, "guest": null, "silent": null, "diskMiB": null,
            "diskLimitMiB": 8192,
        })
    );
}
