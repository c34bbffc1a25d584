//! Pods as the API server shows them: which are ready, and why the others are not.

use serde_json::Value;

/// A Pod that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pod {
    pub(super) name: String,
    pub(super) node: String,
    pub(super) address: String,
}

/// The Pod, if all its containers are ready.
pub(super) fn ready(pod: &Value) -> Option<Pod> {
    let conditions = pod["status"]["conditions"].as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == "Ready" && condition["status"] == "True")?;
    Some(Pod {
        name: pod["metadata"]["name"].as_str()?.to_owned(),
        node: pod["spec"]["nodeName"].as_str()?.to_owned(),
        address: pod["status"]["podIP"].as_str()?.to_owned(),
    })
}

/// Why those that are not ready are not, one text a Pod.
pub(super) fn waiting(pods: &[Value]) -> String {
    if pods.is_empty() {
        return "no Pod has been created".to_owned();
    }
    let waiting: Vec<String> = pods
        .iter()
        .filter(|pod| ready(pod).is_none())
        .map(state)
        .collect();
    waiting.join("; ")
}

/// Why a Pod does not run yet: its container's or its own last condition's words.
fn state(pod: &Value) -> String {
    let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
    let condition = pod["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|condition| condition["status"] == "False" && condition["message"].is_string());
    let words = [
        waiting["reason"].as_str(),
        waiting["message"].as_str(),
        condition.and_then(|condition| condition["message"].as_str()),
    ];
    let words: Vec<&str> = words.into_iter().flatten().collect();
    format!(
        "{} on {}: {}",
        pod["metadata"]["name"].as_str().unwrap_or("a Pod"),
        pod["spec"]["nodeName"].as_str().unwrap_or("no node yet"),
        if words.is_empty() {
            pod["status"]["phase"]
                .as_str()
                .unwrap_or("unknown")
                .to_owned()
        } else {
            words.join(", ")
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_counts_once_it_is_ready() {
        let mut pod = json!({
            "metadata": { "name": "echo-1" },
            "spec": { "nodeName": "sigma" },
            "status": { "podIP": "10.200.21.4", "conditions": [{ "type": "Ready", "status": "False" }] },
        });
        assert_eq!(ready(&pod), None);
        pod["status"]["conditions"][0]["status"] = json!("True");
        let found = ready(&pod).unwrap();
        assert_eq!(
            (found.node, found.address),
            ("sigma".into(), "10.200.21.4".into())
        );
    }

    #[test]
    fn a_waiting_pod_says_why() {
        let pod = json!({
            "metadata": { "name": "echo-1" },
            "status": {
                "phase": "Pending",
                "conditions": [{ "status": "False", "message": "0/2 nodes are available" }],
            },
        });
        assert_eq!(
            state(&pod),
            "echo-1 on no node yet: 0/2 nodes are available"
        );
        let pod = json!({
            "metadata": { "name": "echo-1" },
            "spec": { "nodeName": "sigma" },
            "status": { "containerStatuses": [{ "state": { "waiting": {
                "reason": "ErrImagePull", "message": "no such host",
            } } }] },
        });
        assert_eq!(state(&pod), "echo-1 on sigma: ErrImagePull, no such host");
    }
}
