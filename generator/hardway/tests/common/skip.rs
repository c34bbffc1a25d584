//! Skips a test that needs more than this host has, as in Nix' sandbox and on macOS.
//! Rust's harness calls such a test passed, so it says itself that it is skipped.

use std::io::{Write, stderr};

/// Ends the test that calls it as skipped, with a reason.
macro_rules! skip {
    ($reason:expr) => {{
        fn here() {}
        crate::skip::say(std::any::type_name_of_val(&here), $reason);
        return;
    }};
}
pub(crate) use skip;

/// Writes the line `skipped: TEST: reason`, which scripts/test counts. The harness captures
/// what a test prints with a macro, but not this.
pub(crate) fn say(here: &str, reason: &str) {
    let test = here.trim_end_matches("::here");
    let line = format!("\nskipped: {test}: {reason}\n");
    let _ = stderr().write_all(line.as_bytes());
}
