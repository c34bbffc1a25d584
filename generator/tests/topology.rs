//! cluster.json and cluster.env as a person meets them: what is accepted, and
//! the whole report when it is not.

use std::collections::BTreeMap;
use std::path::Path;

use hardway::topology::{self, Sources, Topology};

const EMPTY: BTreeMap<String, String> = BTreeMap::new();

fn parse(json: &str, env: &str, environment: &BTreeMap<String, String>) -> Result<Topology, String> {
    topology::parse(&Sources {
        dir: Path::new("/cluster"),
        json,
        json_name: "cluster.json",
        env,
        env_name: "cluster.env",
        environment,
    })
    .map_err(|problems| problems.to_string())
}

#[test]
fn the_default_cluster() {
    let topology = parse(topology::default_json(), topology::default_env(), &EMPTY).unwrap();
    insta::assert_json_snapshot!(topology);
}
