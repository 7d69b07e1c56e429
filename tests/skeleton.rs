//! (skeleton)
#[test]
fn skeleton() {}
