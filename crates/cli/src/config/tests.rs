//! What is read from files and the environment, and what is refused.

use super::*;

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::read(Some(file.path()), environment).map_err(|error| format!("{error:#}"))
}

#[test]
fn the_shipped_default_file_says_what_the_program_does_by_itself() {
    let shipped = include_str!("../../../../contrib/outdial.default.toml");
    assert_eq!(format!("{:?}", read(shipped, &[]).unwrap()), format!("{:?}", Config::default()));
}

#[test]
fn a_wrong_setting_is_named_with_its_line_and_the_reason() {
    let error = read("[server]\nlisten = \"everywhere\"\n", &[]).unwrap_err();
    assert!(error.contains("line 2"), "{error}");
    let error = read("[server]\nport = 1\n", &[]).unwrap_err();
    assert!(error.contains("line 2") && error.contains("port"), "{error}");
    let error = read("[log]\njson = true\n[server]\nroot_key = \"secret\"\n", &[]).unwrap_err();
    assert!(error.contains("line 4: server.root_key must have"), "{error}");
    let error = read("[server]\n", &[("OUTDIAL_SERVER_ROOT_KEY", "secret")]).unwrap_err();
    assert!(
        error.contains("variable OUTDIAL_SERVER_ROOT_KEY is wrong: server.root_key must have"),
        "{error}"
    );
    let hosts = "[telephony]\ndriver = \"asterisk\"\n[[telephony.trunks]]\nname = \"t\"\ndial = \"PJSIP/{number}@c\"\n\
        [[telephony.asterisk]]\nname = \"a\"\nurl = \"http://a:1\"\npassword = \"p\"\n\
        [[telephony.asterisk]]\nname = \"b\"\nurl = \"http://b:1\"\n";
    let error = read(&format!("{hosts}password = \"p\"\nweight = 0\n"), &[]).unwrap_err();
    assert!(error.contains("line 14: telephony.asterisk.weight of b must be 1 to 100"), "{error}");
    let error = read(hosts, &[]).unwrap_err();
    assert!(error.contains("line 10: telephony.asterisk.password of b is missing"), "{error}");
}

#[test]
fn variables_of_the_command_line_are_no_settings() {
    let of_commands = [("OUTDIAL_CONFIG", "a"), ("OUTDIAL_URL", "http://a"), ("OUTDIAL_API_KEY", "od_a")];
    assert_eq!(read("", &of_commands).err(), None);
}

#[test]
fn the_environment_goes_over_the_file_and_unknown_variables_are_refused() {
    let config = read("[database]\nurl = \"a.db\"\n", &[("OUTDIAL_DATABASE_URL", "b.db")]).unwrap();
    assert_eq!(config.database.url, "b.db");
    assert!(read("", &[("OUTDIAL_DATABSE_URL", "b.db")]).unwrap_err().contains("OUTDIAL_DATABSE_URL"));
    assert!(read("", &[("OUTDIAL_LOG_JSON", "perhaps")]).unwrap_err().contains("OUTDIAL_LOG_JSON"));
}

#[test]
fn asterisk_needs_a_host_and_a_way_out_and_its_password_is_not_shown() {
    let driver = "[telephony]\ndriver = \"asterisk\"\n";
    assert!(read(driver, &[]).unwrap_err().contains("name at least one Asterisk"));
    let host =
        "[[telephony.asterisk]]\nname = \"a\"\nurl = \"http://127.0.0.1:8088\"\npassword = \"hidden\"\n";
    assert!(read(&format!("{driver}{host}"), &[]).unwrap_err().contains("way out"));
    let trunk = "[[telephony.trunks]]\nname = \"c\"\ndial = \"PJSIP/{number}@carrier\"\n";
    let config = read(&format!("{driver}{host}{trunk}"), &[]).unwrap();
    assert!(!format!("{config:?}").contains("hidden"));
    assert_eq!(config.asterisk().application, "outdial-outdial-1");
}

#[test]
fn the_password_of_an_asterisk_is_in_the_file_in_another_file_or_in_the_environment() {
    let files = tempfile::tempdir().unwrap();
    let secret = files.path().join("secret");
    std::fs::write(&secret, "of the file\n").unwrap();
    let hosts = |first: &str, second: &str| {
        let host = |name: &str, further: &str| {
            format!("[[telephony.asterisk]]\nname = \"{name}\"\nurl = \"http://127.0.0.1:8088\"\n{further}\n")
        };
        format!(
            "[telephony]\ndriver = \"asterisk\"\n{}{}[[telephony.trunks]]\nname = \"c\"\ndial = \"PJSIP/{{number}}@c\"\n",
            host("a", first),
            host("b", second)
        )
    };
    let of_file = format!("password_file = \"{}\"", secret.display());
    let passwords =
        |config: Config| config.asterisk().hosts.into_iter().map(|host| host.password).collect::<Vec<_>>();
    let both = hosts(&of_file, "password = \"plain\"");
    assert_eq!(passwords(read(&both, &[]).unwrap()), ["of the file", "plain"]);
    let variable = [("OUTDIAL_TELEPHONY_ASTERISK_PASSWORD", "of the environment")];
    let config = read(&both, &variable).unwrap();
    assert!(!format!("{config:?} {:?}", config.asterisk()).contains("of the"));
    assert_eq!(passwords(config), ["of the file", "of the environment"]);
    assert_eq!(passwords(read(&hosts(&of_file, ""), &variable).unwrap())[1], "of the environment");
    let error = read(&hosts(&of_file, ""), &[]).unwrap_err();
    assert!(error.contains("password of b is missing") && error.contains("password_file"), "{error}");
    let error = read(&hosts(&format!("{of_file}\npassword = \"x\""), ""), &variable).unwrap_err();
    assert!(error.contains("name one of them"), "{error}");
    let error = read(&hosts("password_file = \"/nowhere/secret\"", ""), &variable).unwrap_err();
    assert!(error.contains("/nowhere/secret") && error.contains("password_file of a"), "{error}");
    assert!(read("", &variable).unwrap_err().contains("no [[telephony.asterisk]]"));
}

#[test]
fn authorities_of_ones_own_are_certificates_and_go_with_tls() {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("ca.pem");
    std::fs::write(&file, "not a certificate").unwrap();
    let host = |url: &str| {
        format!(
            "[telephony]\ndriver = \"asterisk\"\n[[telephony.asterisk]]\nname = \"a\"\nurl = \"{url}\"\npassword = \"p\"\n\
             ca_file = \"{}\"\n[[telephony.trunks]]\nname = \"c\"\ndial = \"PJSIP/{{number}}@c\"\n",
            file.display()
        )
    };
    let error = read(&host("https://127.0.0.1:8089"), &[]).unwrap_err();
    assert!(error.contains("holds no certificate"), "{error}");
    let error = read(&host("http://127.0.0.1:8088"), &[]).unwrap_err();
    assert!(error.contains("must begin with https://"), "{error}");
    let made = rcgen::generate_simple_self_signed(["asterisk.example".to_owned()]).unwrap();
    std::fs::write(&file, made.cert.pem()).unwrap();
    assert!(read(&host("https://asterisk.example:8089"), &[]).is_ok());
}

#[test]
fn a_bucket_needs_an_address_that_can_be_one_and_its_secret_is_not_shown() {
    let s3 = |endpoint: &str| {
        format!(
            "[recordings.s3]\nendpoint = \"{endpoint}\"\nbucket = \"calls\"\naccess_key = \"k\"\nsecret_key = \"hidden\"\n"
        )
    };
    let config = read(&s3("https://s3.example.com"), &[]).unwrap();
    assert!(!format!("{config:?}").contains("hidden"));
    let variable = [("OUTDIAL_RECORDINGS_S3_SECRET_KEY", "other")];
    let config = read(&s3("https://s3.example.com"), &variable).unwrap();
    assert_eq!(config.recordings().s3.unwrap().secret_key, "other");
    let error = read(&s3("s3.example.com"), &[]).unwrap_err();
    assert!(error.contains("line 1: recordings.s3 ") && error.contains("https://"), "{error}");
    let without = s3("https://s3.example.com").replace("secret_key", "# secret_key");
    assert!(read(&without, &[]).unwrap_err().contains("secret_key must be set"));
    assert!(read(&without, &variable).is_ok());
    assert!(read("", &variable).unwrap_err().contains("no [recordings.s3]"));
}

#[test]
fn a_root_key_that_can_be_guessed_is_refused() {
    assert!(read("[server]\nroot_key = \"secret\"\n", &[]).is_err());
}
