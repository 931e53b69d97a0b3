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
    for name in Policy::NAMES.into_iter().skip(2) {
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

/// How many people answered each group.
fn answered(report: &Report) -> Vec<f64> {
    report.groups.iter().map(|group| group.answered as f64).collect()
}

#[test]
fn campaigns_that_are_alike_and_share_all_agents_get_as_much_of_them() {
    let text = r#"{"days": 2, "hours": 3, "agents": [{"count": 20}],
        "group": [{"campaign": "a"}, {"campaign": "b"}]}"#;
    let report = run_with(text, "outdial");
    let [one, other] = answered(&report)[..] else { panic!("{report:?}") };
    assert!((0.8..1.25).contains(&(one / other)), "{:?}", report.groups);
    assert!(report.share_of_u_star > 0.93, "{report:?}");
    assert_eq!(report.windows_over_cap, 0, "{report:?}");
}

#[test]
fn a_campaign_of_three_times_the_weight_gets_three_times_as_much_of_the_agents() {
    let text = r#"{"days": 2, "hours": 3, "agents": [{"count": 20}],
        "group": [{"campaign": "a", "weight": 3}, {"campaign": "b"}]}"#;
    let report = run_with(text, "outdial");
    let [one, other] = answered(&report)[..] else { panic!("{report:?}") };
    assert!((2.3..3.7).contains(&(one / other)), "{:?}", report.groups);
}

#[test]
fn a_campaign_is_not_starved_by_another_that_has_agents_of_its_own() {
    let text = r#"{"days": 2, "hours": 3,
        "agents": [{"count": 30}, {"count": 10, "groups": ["b"]}],
        "group": [{"name": "a", "campaign": "a"}, {"name": "b", "campaign": "b"}]}"#;
    let report = run_with(text, "outdial");
    let [one, other] = answered(&report)[..] else { panic!("{report:?}") };
    assert!(one > 0.6 * other, "{:?}", report.groups);
    assert_eq!(report.windows_over_cap, 0, "{report:?}");
}

#[test]
fn a_campaign_that_cannot_use_its_part_leaves_it_to_the_others() {
    // The list of the second is soon at its end, the third may have a line at a time.
    let text = r#"{"days": 2, "hours": 3, "agents": [{"count": 20}],
        "group": [{"campaign": "a"}, {"campaign": "b", "list": 200}, {"campaign": "c", "lines_max": 1}]}"#;
    let report = run_with(text, "outdial");
    assert!(report.share_of_u_star > 0.92, "{report:?}");
    let [most, ..] = answered(&report)[..] else { panic!("{report:?}") };
    assert!(most > 0.8 * report.answered as f64, "{:?}", report.groups);
}

#[test]
fn each_campaign_has_days_of_its_own() {
    let text = |campaigns: [&str; 2]| {
        let groups = campaigns.map(|campaign| format!(r#"{{"campaign": "{campaign}"}}"#)).join(", ");
        format!(r#"{{"days": 2, "hours": 3, "group": [{groups}]}}"#)
    };
    assert_eq!(run_with(&text(["a", "a"]), "outdial").windows, 2);
    assert_eq!(run_with(&text(["a", "b"]), "outdial").windows, 4);
}

#[test]
fn who_works_to_the_end_takes_the_calls_that_still_ring() {
    let text = |until: &str| {
        format!(
            r#"{{"days": 1, "hours": 0.2, "agents": [{{"count": 50{until}}}],
                "population": {{"p": {{"patience": {{"constant": {{"value": 60}}}}}}}}}}"#
        )
    };
    assert_eq!(run_with(&text(""), "progressive").abandoned, 0);
    let gone = run_with(&text(r#", "until": 0.19"#), "progressive");
    assert!(gone.abandoned > 0, "those who leave before the end leave lines behind: {gone:?}");
}

#[test]
fn after_a_restart_those_work_whose_shift_it_is() {
    let dialled = |restarts: &str| {
        let text = format!(
            r#"{{"days": 1, "hours": 2, "faults": {{"restart_at": [{restarts}]}},
                "agents": [{{"count": 2}}, {{"count": 20, "until": 0.5}}, {{"count": 20, "from": 1.5}},
                           {{"count": 20, "from": 0.2, "until": 1.0, "break": [{{"at": 0.4, "minutes": 30}}]}}]}}"#
        );
        run_with(&text, "progressive").dialled as f64
    };
    let undisturbed = dialled("");
    // Some leave, some come back from their break, and some come, while the engine is away; and it is away twice.
    for restarts in ["0.1", "0.45", "0.4998", "0.8998, 0.8999", "1.4999", "1.7"] {
        let share = dialled(restarts) / undisturbed;
        assert!((0.93..1.03).contains(&share), "{restarts}: {share}");
    }
}

#[test]
fn an_engine_that_comes_back_after_the_days_end_dials_nobody() {
    let text = r#"{"days": 2, "hours": 1, "agents": [{"count": 5}], "faults": {"restart_at": [0.9995]}}"#;
    let report = run_with(text, "outdial");
    let undisturbed = run_with(r#"{"days": 2, "hours": 1, "agents": [{"count": 5}]}"#, "outdial");
    assert!(report.dialled.abs_diff(undisturbed.dialled) < undisturbed.dialled / 5, "{report:?}");
    assert_eq!(report.windows, 2);
}

#[test]
fn waits_begin_when_the_person_answers_and_not_when_the_engine_hears_of_it() {
    let text = r#"{"days": 1, "hours": 1, "faults": {"late_answer_percent": 100, "late_answer_seconds": 4},
                   "population": {"p": {"patience": {"constant": {"value": 60}}}}}"#;
    let report = run_with(text, "progressive");
    assert!(report.answered > 50 && report.wait_p50 >= 4.0, "{report:?}");
    assert!(report.connected_within_2s < f64::EPSILON, "{report:?}");
}

#[test]
fn late_answers_and_lost_ends_strike_different_calls() {
    let both = r#"{"days": 1, "hours": 1, "population": {"p": {"answer_probability": 0.9, "machine_probability": 0,
                   "busy_probability": 0, "invalid_number_probability": 0, "fax_probability": 0,
                   "patience": {"constant": {"value": 60}}, "talk": {"constant": {"value": 30}}}},
                   "faults": {"late_answer_percent": 50, "late_answer_seconds": 10, "lost_end_percent": 50}}"#;
    let talk = |text: &str| {
        let report = run_with(text, "progressive");
        report.talk_minutes_per_hour / report.utilisation
    };
    // Lost ends of calls with and without late answers alike keep agents on the line.
    assert!(talk(both) > talk(&both.replace(r#""lost_end_percent": 50"#, r#""lost_end_percent": 0"#)));
}

#[test]
fn people_taken_for_machines_count_as_abandoned() {
    let text = r#"{"days": 1, "hours": 4, "detection": {"false_machine_percent": 10}}"#;
    let report = run_with(text, "progressive");
    assert!((0.05..0.15).contains(&report.abandon_rate), "{report:?}");
}

#[test]
fn machines_that_agents_talk_to_are_not_people_who_answered() {
    let report = run_with(r#"{"days": 1, "hours": 2, "detection": {"enabled": false}}"#, "progressive");
    assert!((3.3..4.8).contains(&report.dials_per_answer), "{report:?}");
}

#[test]
fn a_change_holds_after_midnight_too() {
    let text = r#"{"days": 1, "start_hour": 22, "hours": 4, "change": [{"at": 3, "factor": 0}]}"#;
    let report = run_with(text, "progressive");
    let busy = |slice: usize| report.over_the_day[slice].utilisation;
    assert!(busy(11) > 0.4 && busy(14) < 0.1, "{:?}", report.over_the_day);
}

#[test]
fn a_day_shorter_than_a_quarter_of_an_hour_has_all_its_agents() {
    let report = run_with(r#"{"days": 1, "hours": 0.1}"#, "progressive");
    assert!(report.u_star > 0.82, "{report:?}");
}

#[test]
fn on_a_short_shift_people_come_before_they_go() {
    let text = r#"{"days": 1, "hours": 1, "agents": [{"count": 100, "until": 0.02}]}"#;
    let report = run_with(text, "progressive");
    let later: f64 = report.over_the_day[1..].iter().map(|slice| slice.utilisation).sum();
    assert!(report.dialled > 0 && later < 1.5, "{report:?}");
}

#[test]
fn who_hangs_up_at_once_does_not_talk() {
    let text = r#"{"days": 1, "hours": 1, "population": {"p": {"hang_up_early": 1.0}}}"#;
    let report = run_with(text, "progressive");
    assert!(report.answered > 20 && report.talk_minutes_per_hour < 0.1, "{report:?}");
}

#[test]
fn calls_that_ring_out_before_people_answer_do_not_raise_the_optimum() {
    let slow = |ring: &str| {
        let text = format!(
            r#"{{"days": 1, "hours": 0.5, "population": {{"p": {{"hang_up_early": 0.0, "ring_human": {ring}}}}},
                "group": [{{"ring_timeout_seconds": 20}}]}}"#
        );
        run_with(&text, "progressive").u_star
    };
    let (all, half) = (
        slow(r#"{"constant": {"value": 10}}"#),
        slow(
            r#"{"mixture": {"parts": [{"weight": 1, "distribution": {"constant": {"value": 10}}},
                                       {"weight": 1, "distribution": {"constant": {"value": 60}}}]}}"#,
        ),
    );
    assert!(half < all - 0.01, "{half} {all}");
}

#[test]
fn the_emulated_dial_level_places_all_the_calls_of_its_goal() {
    // One call for each free agent every 2.5 s is progressive dialling at least; calls go out one by one.
    let text = r#"{"days": 1, "hours": 1, "agents": [{"count": 50}]}"#;
    let report = run_with(text, "vicidial-hard");
    assert!(report.utilisation > 0.55, "{report:?}");
}

#[test]
fn a_list_that_runs_out_does_not_lower_the_share_of_the_optimum() {
    let text = r#"{"days": 2, "hours": 3, "agents": [{"count": 20}], "group": [{"list": 2000}],
                   "faults": {"restart_at": [2.5]}}"#;
    let report = run_with(text, "outdial");
    assert!((0.2..0.8).contains(&report.list_lasted) && report.dialled <= 4000, "{report:?}");
    assert!(report.share_of_u_star > 0.9 && report.utilisation < 0.8 * report.u_star, "{report:?}");
    let endless = run_with(r#"{"days": 1, "hours": 1}"#, "progressive");
    assert!((endless.list_lasted - 1.0).abs() < f64::EPSILON, "{endless:?}");
}
