//! Utilisation and abandonment over the day, as SVG.

use std::fmt::Write;

use simulator::simulate::{Report, Scenario, TimeSlice};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 560.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
/// Top and bottom of the two panels.
const BUSY: (f64, f64) = (50.0, 300.0);
const ABANDONED: (f64, f64) = (360.0, 500.0);
/// Colours that people with any colour vision tell apart (Okabe and Ito 2008).
const COLOURS: [&str; 8] =
    ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442"];

struct Panel {
    top: f64,
    bottom: f64,
    low: f64,
    high: f64,
    hours: f64,
}

impl Panel {
    fn x(&self, hour: f64) -> f64 {
        LEFT + hour / self.hours * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.bottom - share * (self.bottom - self.top)
    }

    fn line(&self, slices: &[TimeSlice], value: impl Fn(&TimeSlice) -> f64, style: &str) -> String {
        let points: Vec<String> = slices
            .iter()
            .map(|slice| format!("{:.1},{:.1}", self.x(slice.hour + 0.125), self.y(value(slice))))
            .collect();
        format!("<polyline fill=\"none\" {style} points=\"{}\"/>\n", points.join(" "))
    }

    fn frame(&self, title: &str, step: f64) -> String {
        let mut svg =
            format!("<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{title}</text>\n", self.top - 10.0);
        let mut value = self.low;
        while value <= self.high + 1e-9 {
            let y = self.y(value);
            let _ = writeln!(
                svg,
                "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{:.0} %</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0,
                value * 100.0
            );
            value += step;
        }
        for hour in 0..=self.hours.ceil() as u32 {
            let x = self.x(f64::from(hour).min(self.hours));
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{hour} h</text>",
                self.bottom + 16.0
            );
        }
        svg
    }
}

/// The picture.
pub fn over_the_day(scenario: &Scenario, reports: &[Report]) -> String {
    let hours = scenario.hours;
    let busy = Panel { top: BUSY.0, bottom: BUSY.1, low: 0.2, high: 1.0, hours };
    let most = reports
        .iter()
        .flat_map(|report| &report.over_the_day)
        .map(|slice| slice.abandon_rate)
        .fold(scenario.cap_percent / 100.0 * 2.0, f64::max);
    let high = (most * 50.0).ceil() / 50.0;
    let abandoned = Panel { top: ABANDONED.0, bottom: ABANDONED.1, low: 0.0, high, hours };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"15\">{}: {} days, seed {}</text>\n",
        escape(&scenario.name),
        scenario.days,
        scenario.seed
    );
    svg += &busy.frame("agents busy (talk and wrap-up)", 0.2);
    svg += &abandoned.frame("abandoned of answered", (high / 4.0).max(0.01));
    let cap = abandoned.y(scenario.cap_percent / 100.0);
    let _ = writeln!(
        svg,
        "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{cap:.1}\" y2=\"{cap:.1}\" stroke=\"#c00\" stroke-dasharray=\"6 3\"/>",
        WIDTH - RIGHT
    );
    for (index, report) in reports.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let style = format!("stroke=\"{colour}\" stroke-width=\"1.8\"");
        if index == 0 {
            svg += &busy.line(
                &report.over_the_day,
                |slice| slice.u_star,
                "stroke=\"#888\" stroke-dasharray=\"4 3\"",
            );
        }
        svg += &busy.line(&report.over_the_day, |slice| slice.utilisation, &style);
        svg += &abandoned.line(&report.over_the_day, |slice| slice.abandon_rate, &style);
        let x = LEFT + 150.0 * index as f64;
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"535\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"546\">{}</text>",
            x + 18.0,
            escape(&report.policy)
        );
    }
    svg += "</svg>\n";
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
