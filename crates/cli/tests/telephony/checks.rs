//! `outdial check telephony` finds what is wrong with an Asterisk and says what to do.

use std::path::Path;
use std::process::{Command, Output};

use crate::lab::{Lab, USER};

/// Checks an Asterisk by a configuration like this.
fn check(lab: &Lab, port: u16, password: &str, dial: &str) -> (bool, String) {
    check_with(lab, port, password, dial, &format!("{}/sounds", lab.inside()))
}

fn check_with(lab: &Lab, port: u16, password: &str, dial: &str, sounds: &str) -> (bool, String) {
    let file = lab.files.path().join("check.toml");
    // What is written to `messages` is what the lab's Asterisk sees as its sounds.
    let data = lab.files.path().join("checked");
    if std::fs::create_dir(&data).is_ok() {
        std::os::unix::fs::symlink(lab.folder().join("sounds"), data.join("messages")).unwrap();
    }
    let text = format!(
        "[node]\ndata_dir = \"{}\"\n[telephony]\nsounds = \"{sounds}\"\ndriver = \"asterisk\"\n[[telephony.asterisk]]\nname = \"lab\"\nurl = \"http://127.0.0.1:{port}\"\n\
         user = \"{USER}\"\npassword = \"{password}\"\n[[telephony.trunks]]\nname = \"carrier\"\ndial = \"{dial}\"\n",
        data.display(),
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
    assert!(passes && said.contains("what is written there is found"), "{said}");
    let elsewhere = std::fs::read_dir(lab.folder().join("sounds")).unwrap();
    assert!(
        !elsewhere.flatten().any(|file| file.file_name().to_string_lossy().contains("check")),
        "nothing is left"
    );
    let (passes, said) = check_with(&lab, lab.http_port, USER, trunk, "/nowhere");
    assert!(!passes && said.contains("set telephony.sounds"), "{said}");
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
    lab.spoil("pjsip.conf", |text| text.replace("allow = alaw,ulaw", "allow = gsm"));
    let (passes, said) = check(&lab, lab.http_port, USER, trunk);
    assert!(!passes);
    for remedy in [
        "outdial-detect",
        "contrib/asterisk/extensions.conf",
        "load = app_amd.so",
        "channelvars = OUTDIAL_NODE",
        "only gsm",
    ] {
        assert!(said.contains(remedy), "{remedy}: {said}");
    }
    println!("8 faults found, each with its remedy");
}
