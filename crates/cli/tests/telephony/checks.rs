//! `outdial check telephony` finds what is wrong with an Asterisk and says what to do.

use std::path::Path;
use std::process::{Command, Output};

use crate::lab::{Lab, USER};

/// Checks an Asterisk by a configuration like this.
fn check(lab: &Lab, port: u16, password: &str, dial: &str) -> (bool, String) {
    let file = lab.files.path().join("check.toml");
    let text = format!(
        "[telephony]\ndriver = \"asterisk\"\n[[telephony.asterisk]]\nname = \"lab\"\nurl = \"http://127.0.0.1:{port}\"\n\
         user = \"{USER}\"\npassword = \"{password}\"\n[[telephony.trunks]]\nname = \"carrier\"\ndial = \"{dial}\"\n"
    );
    std::fs::write(&file, text).unwrap();
    let Output { status, stdout, stderr } = outdial(&file);
    (status.success(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

fn outdial(file: &Path) -> Output {
    let mut outdial = Command::new(env!("CARGO_BIN_EXE_outdial"));
    outdial.args(["--config", file.to_str().unwrap(), "check", "telephony"]).output().unwrap()
}

#[test]
fn a_sound_asterisk_passes_and_each_fault_is_named_with_its_remedy() {
    let mut lab = Lab::start();
    let trunk = "PJSIP/{number}@carrier";
    let (passes, said) = check(&lab, lab.http_port, USER, trunk);
    assert!(passes, "{said}");
    let faults = [
        (lab.http_port, "wrong", trunk, "the user or the password is wrong"),
        (1, USER, trunk, "cannot be reached"),
        (lab.http_port, USER, "PJSIP/{number}@nobody", "there is no endpoint nobody"),
    ];
    for (port, password, dial, remedy) in faults {
        let (passes, said) = check(&lab, port, password, dial);
        assert!(!passes && said.contains(remedy), "{remedy}: {said}");
    }
    // An Asterisk without Outdial's dial plan, detection and variables.
    lab.spoil("extensions.conf", |text| text.replace("[outdial-", "[other-"));
    lab.spoil("modules.conf", |text| text.replace("load = app_amd.so", ";"));
    lab.spoil("ari.conf", |text| text.replace("channelvars", ";channelvars"));
    let (passes, said) = check(&lab, lab.http_port, USER, trunk);
    assert!(!passes);
    for remedy in [
        "outdial-detect",
        "contrib/asterisk/extensions.conf",
        "load = app_amd.so",
        "channelvars = OUTDIAL_NODE",
    ] {
        assert!(said.contains(remedy), "{remedy}: {said}");
    }
    println!("6 faults found, each with its remedy");
}
