//! What came of the policies, as a table: a row for each figure, a column for each policy.

use simulator::simulate::Report;

/// So many policies stand side by side on a screen of 120 columns.
pub const POLICIES_ABREAST: usize = 5;
/// Width of the names of the figures, and of each policy's column.
const NAME: usize = 34;
const COLUMN: usize = 17;

/// A row: its name with the unit, and its figure of a report.
type Row = (&'static str, fn(&Report) -> String);

const ROWS: [Row; 17] = [
    ("busy, % of time at work", |report| percent(report.utilisation, 1)),
    ("U*, %", |report| percent(report.u_star, 1)),
    ("share of U*, %", |report| percent(report.share_of_u_star, 1)),
    ("talk, minutes per agent hour", |report| format!("{:.1}", report.talk_minutes_per_hour)),
    ("abandoned, % of answered", |report| percent(report.abandon_rate, 2)),
    ("  on the worst day, %", |report| percent(report.abandon_rate_worst_day, 2)),
    ("  in the worst 30-day block, %", |report| percent(report.abandon_rate_worst_block, 2)),
    ("  in the worst 24 hours, %", |report| percent(report.abandon_rate_worst_24h, 2)),
    ("days over the cap", |report| format!("{} of {}", report.windows_over_cap, report.windows)),
    ("connected within 2 s, %", |report| percent(report.connected_within_2s, 1)),
    ("wait, half no longer than, s", |report| format!("{:.2}", report.wait_p50)),
    ("  95 of 100, s", |report| format!("{:.2}", report.wait_p95)),
    ("  99 of 100, s", |report| format!("{:.2}", report.wait_p99)),
    ("dials per answer", |report| format!("{:.2}", report.dials_per_answer)),
    ("most lines at once", |report| report.lines_peak.to_string()),
    ("decision, 99 of 100, µs", |report| format!("{:.1}", report.decision_us_p99)),
    ("events per second", |report| format!("{:.0}", report.events_per_second)),
];

fn percent(share: f64, digits: usize) -> String {
    format!("{:.digits$}", share * 100.0)
}

/// The table of a few reports.
pub fn of(reports: &[Report]) -> String {
    let line = |name: &str, figure: &dyn Fn(&Report) -> String| {
        let figures: String = reports.iter().map(|report| format!("{:>COLUMN$}", figure(report))).collect();
        format!("{name:<NAME$}{figures}\n")
    };
    let heading = line("", &|report| report.policy.clone());
    let table = ROWS.iter().fold(heading, |table, (name, figure)| table + &line(name, figure));
    let groups = reports.first().map_or(&[][..], |report| report.groups.as_slice());
    if groups.len() < 2 {
        return table;
    }
    groups.iter().enumerate().fold(table, |table, (index, group)| {
        let name = shortened(&format!("answers of {}, % of all", group.group));
        table + &line(&name, &|report| percent(share_of_answers(report, index), 1))
    })
}

/// A name of a figure that leaves a space before the figures.
fn shortened(name: &str) -> String {
    let room = NAME - 1;
    if name.chars().count() <= room {
        name.to_owned()
    } else {
        name.chars().take(room - 1).chain(['…']).collect()
    }
}

/// Of all calls that people answered, those of a group.
fn share_of_answers(report: &Report, group: usize) -> f64 {
    let answered = report.groups.get(group).map_or(0, |group| group.answered);
    if report.answered == 0 { 0.0 } else { answered as f64 / report.answered as f64 }
}

#[cfg(test)]
mod tests {
    use simulator::simulate::{self, Nobody, Scenario};

    use super::*;

    #[test]
    fn several_groups_are_told_with_what_each_had() {
        let text = r#"{"days": 1, "hours": 0.5, "group": [{"name": "spring"}, {"name": "a name too long for its column"}]}"#;
        let scenario: Scenario = serde_json::from_str(text).unwrap();
        let report = simulate::run(&scenario, &"progressive".parse().unwrap(), &mut Nobody).unwrap();
        let table = of(&[report]);
        let [.., first, second] = table.lines().collect::<Vec<_>>()[..] else { panic!("{table}") };
        let share = |line: &str| line.split_whitespace().last().unwrap().parse::<f64>().unwrap();
        assert!(first.starts_with("answers of spring, % of all "), "{table}");
        assert!(second.starts_with("answers of a name too long for i… "), "{table}");
        assert!((share(first) + share(second) - 100.0).abs() < 0.2, "{table}");
    }

    #[test]
    fn five_policies_stand_side_by_side_within_120_columns() {
        let scenario = Scenario { days: 1, hours: 0.5, ..Scenario::default() };
        let run = |name: &str| simulate::run(&scenario, &name.parse().unwrap(), &mut Nobody).unwrap();
        let reports = vec![run("vicidial-average"); POLICIES_ABREAST];
        let table = of(&reports);
        assert_eq!(table.lines().count(), ROWS.len() + 1);
        for line in table.lines() {
            assert!(line.chars().count() <= 120, "{line}");
        }
        assert!(table.contains(" vicidial-average\n") && table.contains(" 1\n"), "{table}");
        let over = table.lines().find(|line| line.starts_with("days over the cap")).unwrap();
        assert!(over.ends_with(" of 1"), "{over}");
    }
}
