//! Shipped scenarios on Docker.

use std::path::Path;

use crate::court::{Court, is_closed};

#[test]
fn a_declaration_that_is_a_lie_is_found_out_by_docker() {
    if is_closed("a lie on Docker") {
        return;
    }
    let lie = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/lie.yaml");
    let records = Court::new().judge(&[lie]);
    let objections = records[0].objections().join("\n");
    assert!(
        objections.contains("exit 0, measured") || objections.contains("predicted stopped, exit 0"),
        "{objections}"
    );
}
