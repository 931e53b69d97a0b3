//! Runs as a whole.

use super::*;

fn scenario(text: &str) -> Scenario {
    serde_json::from_str(text).unwrap()
}

fn run_with(text: &str, policy: &str) -> Report {
    run(&scenario(text), &policy.parse().unwrap(), &mut Nobody).unwrap()
}

#[test]
fn equal_scenarios_and_seeds_give_equal_results() {
    let text = r#"{"days": 1, "hours": 2}"#;
    assert_eq!(run_with(text, "outdial"), run_with(text, "outdial"));
    let other = run_with(r#"{"days": 1, "hours": 2, "seed": 2}"#, "outdial");
    assert_ne!(other.dialled, run_with(text, "outdial").dialled);
}

#[test]
fn predictive_dialling_gains_on_progressive_and_keeps_the_cap() {
    let text = r#"{"days": 2, "agents": [{"count": 20}]}"#;
    let (predictive, progressive) = (run_with(text, "outdial"), run_with(text, "progressive"));
    assert!(predictive.utilisation > progressive.utilisation + 0.1, "{predictive:?}");
    assert_eq!(predictive.windows_over_cap, 0, "{predictive:?}");
    assert!(predictive.share_of_u_star > 0.9 && predictive.share_of_u_star < 1.02, "{predictive:?}");
    assert!(progressive.abandon_rate < 0.01, "{progressive:?}");
}

#[test]
fn every_reference_policy_dials() {
    for name in [
        "ratio:2",
        "vicidial-hard",
        "vicidial-average",
        "vicidial-tapered",
        "erlang",
        "samuelson",
        "residual-life",
    ] {
        let report = run_with(r#"{"days": 1, "hours": 2}"#, name);
        assert!(report.answered > 50, "{report:?}");
        assert!(report.abandoned <= report.answered && report.answered <= report.dialled, "{report:?}");
    }
}

#[test]
fn faults_break_neither_the_cap_nor_the_engine() {
    let text = r#"{"days": 2, "faults": {"late_answer_percent": 1, "late_answer_seconds": 30,
                   "lost_end_percent": 10, "restart_at": [3.0]}}"#;
    let report = run_with(text, "outdial");
    assert_eq!(report.windows, 2);
    assert_eq!(report.windows_over_cap, 0, "{report:?}");
}

#[test]
fn agents_come_go_and_take_breaks_and_groups_share_them() {
    let text = r#"{"days": 1, "hours": 4,
        "group": [{"name": "a"}, {"name": "b"}, {"name": "c", "list": 300}],
        "agents": [{"count": 6}, {"count": 4, "groups": ["a"], "from": 1, "until": 3,
                    "break": [{"at": 2, "minutes": 10}]}],
        "change": [{"at": 1, "minutes": 60, "factor": 1.6}, {"swing": 0.3}]}"#;
    let report = run_with(text, "outdial");
    assert_eq!(report.windows_over_cap, 0, "{report:?}");
    assert!(report.utilisation > 0.6, "{report:?}");
}
