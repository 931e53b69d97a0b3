//! Imports of files.

use app::imports::{Import, NewImport};
use contacts::SourceMap;
use engine::PhoneKind;

use crate::harness::{Outdial, all_contacts, number, on_both_databases, runtime, start, wait_for};

/// A map in its compact form.
fn mapped(map: &str) -> NewImport {
    NewImport { map: Some(SourceMap::parse_compact(map).unwrap()), ..NewImport::default() }
}

/// A file of `count` contacts with the columns `id` and `phone`, from `first` on.
fn table(first: u64, count: u64) -> String {
    let rows = (first..first + count).map(|n| format!("c{n},{}\n", number(n)));
    std::iter::once("id,phone\n".to_owned()).chain(rows).collect()
}

fn counts(import: &Import) -> [u64; 4] {
    [import.created, import.updated, import.unchanged, import.rejected]
}

const PLAIN: &str = "external_id=id,phone1=phone";

#[test]
fn a_file_becomes_contacts_and_once_more_changes_nothing() {
    on_both_databases(async |outdial| {
        let first = outdial.import(table(0, 500), mapped(PLAIN)).await;
        assert_eq!(
            (first.state.as_str(), first.rows_done, counts(&first)),
            ("completed", 500, [500, 0, 0, 0])
        );
        assert_eq!((first.bytes_done, first.error.clone()), (first.file_size, None));
        assert_eq!(outdial.contacts().await.len(), 500);
        assert_eq!(outdial.contact("c7").await.unwrap().import, Some(first.id));
        let again = outdial.import(table(0, 500), mapped(PLAIN)).await;
        assert_eq!(counts(&again), [0, 0, 500, 0]);
        let changed = outdial.import("id,phone\nc7,+33612999999\n", mapped(PLAIN)).await;
        assert_eq!(counts(&changed), [0, 1, 0, 0]);
        // A file goes once its import is known to be over, which is a moment later than others can see that it is.
        let files = || std::fs::read_dir(outdial.data_dir.path().join("imports")).unwrap().count();
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while files() > 0 {
            assert!(std::time::Instant::now() < patience, "files are kept no longer than their imports");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn an_ugly_file_is_read_as_its_author_meant_it() {
    on_both_databases(async |outdial| {
        let text = "Kunden-Nr.;Vorname;Ort;Tel. privat ;Tel. Büro;Handy;geboren\r\n\
                    \"0001\";Zoé;\"Aix;en\"\"P\"\"\";01 23 45 67 89;;06.12.00.00.01;31.12.1970\r\n\
                    \r\n\
                    0002;Jürgen;Köln;;+49 30 901820;;\r\n";
        let map = "external_id=kunden-nr.,phone1:home=Tel. privat,phone2:work=Tel. Büro,phone3:mobile=Handy,\
                   field.first_name=Vorname,field.city=Ort,field.born|%d.%m.%Y=geboren";
        let import = outdial.import(in_windows_1252(text), mapped(map)).await;
        assert_eq!((import.state.as_str(), counts(&import)), ("completed", [2, 0, 0, 0]), "{import:?}");
        let zoe = outdial.contact("0001").await.unwrap();
        assert_eq!(zoe.fields["first_name"], "Zoé");
        assert_eq!(zoe.fields["city"], "Aix;en\"P\"");
        assert_eq!(zoe.fields["born"], "1970-12-31");
        let phones: Vec<_> = zoe.phones.iter().map(|phone| (phone.number.to_string(), phone.kind)).collect();
        assert_eq!(phones, [("+33123456789".into(), PhoneKind::Home), (number(1), PhoneKind::Mobile)]);
        let jurgen = outdial.contact("0002").await.unwrap();
        assert_eq!((jurgen.fields["city"].as_str(), jurgen.phones[0].kind), (Some("Köln"), PhoneKind::Work));
    });
}

/// The text in Windows-1252, whose codes for these letters are those of Unicode.
fn in_windows_1252(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect()
}

#[test]
fn a_file_that_its_map_does_not_fit_is_refused_at_once_and_names_the_columns() {
    on_both_databases(async |outdial| {
        let refused = async |content: &str, new: NewImport| {
            let error = outdial.try_import(content, new).await.unwrap_err();
            (error.code(), error.to_string())
        };
        let (code, message) = refused("id,tel\n1,2\n", mapped(PLAIN)).await;
        assert!(code == "bad_map" && message.contains("'phone'") && message.contains("'tel'"), "{message}");
        let (code, message) = refused("foo,bar\n1,2\n", NewImport::default()).await;
        assert!(code == "bad_map" && message.contains("foo, bar"), "{message}");
        let (code, message) =
            refused("id,phone,x\n", mapped("external_id=id,phone1=phone,field.shoe=x")).await;
        assert!(
            code == "unknown_field" && message.contains("'x'") && message.contains("first_name"),
            "{message}"
        );
        assert_eq!(refused("", mapped(PLAIN)).await.0, "bad_file");
        let imports = outdial.app.imports(&outdial.who, &Default::default()).await.unwrap();
        assert_eq!(imports.items, []);
        let left = std::fs::read_dir(outdial.data_dir.path().join("imports")).unwrap().count();
        assert_eq!(left, 0);
    });
}

#[test]
fn headings_that_speak_for_themselves_need_no_map() {
    on_both_databases(async |outdial| {
        let text = "Customer ID,First name,Mobile\n1,Zoé,0612000001\n";
        let import = outdial.import(text, NewImport::default()).await;
        assert_eq!(counts(&import), [1, 0, 0, 0], "{import:?}");
        assert_eq!(outdial.contact("1").await.unwrap().fields["first_name"], "Zoé");
    });
}

#[test]
fn rejected_rows_come_back_as_a_file_that_can_be_corrected_and_sent_again() {
    on_both_databases(async |outdial| {
        let text = "id;phone;born\n\
                    1;0612000001;1970-01-31\n\
                    2;12;1970-01-31\n\
                    3;0612000003;=31/31/1970\n\
                    1;0612000009;\n\
                    4;0612000004\n\
                    5;0612000005;\n";
        let map = "external_id=id,phone1=phone,field.born=born";
        let import = outdial.import(text, mapped(map)).await;
        assert_eq!(counts(&import), [2, 0, 0, 4]);
        let page = outdial.app.import_rejects(&outdial.who, import.id, &Default::default()).await.unwrap();
        let told: Vec<_> = page
            .items
            .iter()
            .map(|it| (it.row, it.code.as_str(), it.field.as_deref().unwrap_or("")))
            .collect();
        let expected = [
            (3, "bad_phone", "phone1"),
            (4, "bad_field_value", "born"),
            (5, "duplicate_in_file", "external_id"),
            (6, "broken_row", ""),
        ];
        assert_eq!(told, expected);
        assert!(page.items[2].message.contains("row 2"), "{}", page.items[2].message);
        let rejects = outdial.rejects(import.id).await;
        let lines: Vec<&str> = rejects.lines().collect();
        assert_eq!(lines[0], "id;phone;born;outdial_row;outdial_code;outdial_field;outdial_message");
        assert!(lines[1].starts_with("2;12;1970-01-31;3;bad_phone;phone1;"), "{}", lines[1]);
        assert!(lines[2].starts_with("3;0612000003;=31/31/1970;4;bad_field_value;born;"), "{}", lines[2]);
        let corrected = rejects.replace("2;12;", "2;0612000002;").replace("=31/31/1970", "1970-12-31");
        let corrected: Vec<&str> = corrected.lines().take(3).collect();
        let again = outdial.import(corrected.join("\n"), mapped(map)).await;
        assert_eq!(counts(&again), [2, 0, 0, 0]);
        assert_eq!(outdial.contacts().await.len(), 4);
    });
}

#[test]
fn a_file_of_json_lines_is_read_and_its_rejects_are_json_lines() {
    on_both_databases(async |outdial| {
        let text = format!(
            "{{\"external_id\": 1, \"phones\": [{{\"number\": \"{}\"}}]}}\n{{\"external_id\": 2, \"phones\": []}}\nnonsense\n",
            number(1)
        );
        let import = outdial.import(text, NewImport::default()).await;
        assert_eq!(counts(&import), [1, 0, 0, 2], "{import:?}");
        let rejects = outdial.rejects(import.id).await;
        let lines: Vec<&str> = rejects.lines().collect();
        assert!(lines[0].contains("\"outdial_code\":\"no_phone\""), "{rejects}");
        assert!(lines[1].contains("\"outdial_text\":\"nonsense\""), "{rejects}");
    });
}

#[test]
fn an_import_may_look_for_duplicates_further_than_its_source() {
    on_both_databases(async |outdial| {
        let text = format!("id,phone\na,{0}\nb,{0}\n", number(1));
        let new = NewImport { duplicates: Some(app::model::DuplicateScope::Source), ..mapped(PLAIN) };
        let import = outdial.import(text, new).await;
        assert_eq!(counts(&import), [1, 0, 0, 1]);
        let page = outdial.app.import_rejects(&outdial.who, import.id, &Default::default()).await.unwrap();
        assert_eq!((page.items[0].row, page.items[0].code.as_str()), (3, "duplicate"));
    });
}

/// Rows of a file that takes several batches.
const MANY: u64 = 25_000;

#[test]
fn an_import_that_a_crash_ended_goes_on_and_creates_nothing_twice_and_loses_nothing() {
    for database in store::testing::databases() {
        let data_dir = tempfile::tempdir().unwrap();
        let before = runtime();
        // The last row repeats the first: it must be found although its process never saw the first being stored.
        let text = format!("{}c0,{}\nbad,1\n", table(0, MANY), number(0));
        let (who, campaign, id, done) = before.block_on(async {
            let app = start(&database.target, data_dir.path()).await;
            let who = app::Principal::operator(app.create_tenant("Acme").await.unwrap().id);
            let campaign = app.create(&who, crate::harness::campaign()).await.unwrap().id.into();
            let source = app.create(&who, crate::harness::source("List", campaign)).await.unwrap().id.into();
            let path = app.import_upload_path();
            std::fs::write(&path, &text).unwrap();
            let import = app.create_import(&who, source, mapped(PLAIN), path).await.unwrap();
            let import = wait_for(&app, &who, import.id, |import| import.rows_done > 0).await;
            (who, campaign, import.id, import.rows_done)
        });
        // Every task of the process stops where it is.
        before.shutdown_background();
        assert!(done < MANY, "the crash came too late to show anything");
        runtime().block_on(async {
            let app = start(&database.target, data_dir.path()).await;
            let import = wait_for(&app, &who, id, Import::is_over).await;
            assert_eq!(
                (import.state.as_str(), counts(&import)),
                ("completed", [MANY, 0, 0, 2]),
                "{import:?}"
            );
            let contacts = all_contacts(&app, &who, campaign).await;
            let mut ids: Vec<&str> = contacts.iter().map(|contact| contact.external_id.as_str()).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!((ids.len() as u64, contacts.len() as u64), (MANY, MANY));
            let page = app.import_rejects(&who, id, &Default::default()).await.unwrap();
            let told: Vec<_> = page.items.iter().map(|it| (it.row, it.code.as_str())).collect();
            assert_eq!(told, [(MANY + 2, "duplicate_in_file"), (MANY + 3, "bad_phone")]);
        });
    }
}

#[test]
fn an_import_that_was_stopped_in_good_order_is_gone_on_with_at_the_next_start() {
    on_both_databases(async |outdial| {
        let import = outdial.try_import(table(0, MANY), mapped(PLAIN)).await.unwrap();
        wait_for(&outdial.app, &outdial.who, import.id, |import| import.rows_done > 0).await;
        outdial.app.shut_down(std::time::Duration::from_secs(30)).await;
        let stopped = outdial.app.import(&outdial.who, import.id).await.unwrap();
        assert!(stopped.rows_done < MANY && stopped.state == "running", "{stopped:?}");
        let next = start(&outdial.database.target, outdial.data_dir.path()).await;
        let over = wait_for(&next, &outdial.who, import.id, Import::is_over).await;
        assert_eq!((over.state.as_str(), counts(&over)), ("completed", [MANY, 0, 0, 0]));
    });
}

#[test]
fn a_cancelled_import_stops_after_its_batch_and_what_was_stored_stays() {
    on_both_databases(async |outdial| {
        let Outdial { app, who, .. } = &outdial;
        let import = outdial.try_import(table(0, MANY), mapped(PLAIN)).await.unwrap();
        wait_for(app, who, import.id, |import| import.rows_done > 0).await;
        app.cancel_import(who, import.id).await.unwrap();
        let over = wait_for(app, who, import.id, Import::is_over).await;
        assert_eq!(over.state, "cancelled");
        assert!(over.rows_done < MANY, "{over:?}");
        assert_eq!(outdial.contacts().await.len() as u64, over.created);
        assert_eq!(app.cancel_import(who, import.id).await.unwrap_err().code(), "import_is_over");
    });
}

#[test]
fn another_tenant_sees_nothing_of_an_import() {
    on_both_databases(async |outdial| {
        let import = outdial.import("id,phone\n1,x\n", mapped(PLAIN)).await;
        let stranger = app::Principal::operator(outdial.app.create_tenant("Other").await.unwrap().id);
        let Outdial { app, .. } = &outdial;
        assert_eq!(app.import(&stranger, import.id).await.unwrap_err().code(), "not_found");
        assert_eq!(app.cancel_import(&stranger, import.id).await.unwrap_err().code(), "not_found");
        assert!(app.import_rejects(&stranger, import.id, &Default::default()).await.is_err());
        assert!(app.import_rejects_file(&stranger, import.id).await.is_err());
        assert_eq!(app.imports(&stranger, &Default::default()).await.unwrap().items, []);
    });
}
