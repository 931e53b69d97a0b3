//! Utilisation and abandonment over the day, as a picture: SVG, or PNG for where that is not shown.

mod png;
mod svg;

use std::path::{Path, PathBuf};

use simulator::simulate::{Report, Scenario, TimeSlice};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 580.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
/// Top and bottom of the two panels.
const BUSY: (f64, f64) = (50.0, 300.0);
const ABANDONED: (f64, f64) = (360.0, 500.0);
/// Colours that people with any colour vision tell apart (Okabe and Ito 2008).
const COLOURS: [Colour; 9] =
    [0x0072B2, 0xD55E00, 0x009E73, 0xCC79A7, 0xE69F00, 0x56B4E9, 0x000000, 0xF0E442, 0x882255];
/// Policies named in a line below the panels.
const NAMES_IN_A_LINE: usize = 6;
/// Abandonment is drawn up to so many times the cap, lest a policy that knows no cap leaves the others no room.
const CAPS_DRAWN: f64 = 4.0;
const BLACK: Colour = 0x000000;
const GRID: Colour = 0xDDDDDD;
const OPTIMUM: Colour = 0x888888;
const CAP: Colour = 0xCC0000;

/// Red, green and blue.
type Colour = u32;

/// Where a text stands by its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anchor {
    Start,
    Middle,
    End,
}

/// What a picture is made of, in points of a field of [`WIDTH`] by [`HEIGHT`].
#[derive(Clone, Debug, PartialEq)]
enum Mark {
    /// Joined points.
    Line { points: Vec<(f64, f64)>, colour: Colour, width: f64, dashes: Option<(f64, f64)> },
    /// A text; its point is on the line that it stands on.
    Text { at: (f64, f64), text: String, size: f64, anchor: Anchor, is_bold: bool },
    /// A filled square, by its upper left corner and its side.
    Square { at: (f64, f64), side: f64, colour: Colour },
}

/// Which kind of picture a file's ending asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `.svg`
    Svg,
    /// `.png`
    Png,
}

/// Why a picture cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// The ending is of neither kind.
    #[error("--plot {}: a picture is an .svg or a .png file; name one that ends so", .0.display())]
    Ending(PathBuf),
    /// There is not enough memory for it, or it cannot be written as PNG.
    #[error("the picture cannot be drawn as PNG: {0}")]
    Png(String),
}

impl Format {
    /// The format of a file, by its ending.
    ///
    /// # Errors
    /// The ending is neither `.svg` nor `.png`.
    pub fn of(path: &Path) -> Result<Self, PlotError> {
        match path.extension().map(|ending| ending.to_ascii_lowercase()) {
            Some(ending) if ending == "svg" => Ok(Self::Svg),
            Some(ending) if ending == "png" => Ok(Self::Png),
            _ => Err(PlotError::Ending(path.to_owned())),
        }
    }
}

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

    fn line(
        &self,
        slices: &[TimeSlice],
        value: impl Fn(&TimeSlice) -> f64,
        colour: Colour,
        is_own: bool,
    ) -> Mark {
        // In the middle of the quarter of an hour, or of what the day has of it.
        let middle = |slice: &TimeSlice| f64::midpoint(slice.hour, (slice.hour + 0.25).min(self.hours));
        let point = |slice: &TimeSlice| (self.x(middle(slice)), self.y(value(slice)));
        let (width, dashes) = if is_own { (1.8, None) } else { (1.0, Some((4.0, 3.0))) };
        Mark::Line { points: slices.iter().map(point).collect(), colour, width, dashes }
    }

    fn across(&self, value: f64, colour: Colour, dashes: Option<(f64, f64)>) -> Mark {
        let y = self.y(value);
        Mark::Line { points: vec![(LEFT, y), (WIDTH - RIGHT, y)], colour, width: 1.0, dashes }
    }

    fn frame(&self, title: &str, step: f64) -> Vec<Mark> {
        let mut marks = vec![Mark::Text {
            at: (LEFT, self.top - 10.0),
            text: title.to_owned(),
            size: 12.0,
            anchor: Anchor::Start,
            is_bold: true,
        }];
        let mut value = self.low;
        while value <= self.high + 1e-9 {
            marks.push(self.across(value, GRID, None));
            let at = (LEFT - 6.0, self.y(value) + 4.0);
            marks.push(anchored(at, format!("{:.0} %", value * 100.0), Anchor::End));
            value += step;
        }
        // A label every hour, or fewer where they would touch.
        let every = (self.hours / 12.0).ceil().max(1.0) as usize;
        for hour in (0..=self.hours.ceil() as u32).step_by(every) {
            let at = (self.x(f64::from(hour).min(self.hours)), self.bottom + 16.0);
            marks.push(anchored(at, format!("{hour} h"), Anchor::Middle));
        }
        marks
    }
}

fn anchored(at: (f64, f64), text: String, anchor: Anchor) -> Mark {
    Mark::Text { at, text, size: 12.0, anchor, is_bold: false }
}

/// The picture of a scenario's reports, as the bytes of a file.
///
/// # Errors
/// It cannot be drawn.
pub fn over_the_day(scenario: &Scenario, reports: &[Report], format: Format) -> Result<Vec<u8>, PlotError> {
    let marks = marks(scenario, reports);
    match format {
        Format::Svg => Ok(svg::write(&marks).into_bytes()),
        Format::Png => png::write(&marks),
    }
}

fn marks(scenario: &Scenario, reports: &[Report]) -> Vec<Mark> {
    let hours = scenario.hours;
    let busy = Panel { top: BUSY.0, bottom: BUSY.1, low: 0.2, high: 1.0, hours };
    let most = reports
        .iter()
        .flat_map(|report| &report.over_the_day)
        .map(|slice| slice.abandon_rate)
        .fold(scenario.cap_percent / 100.0 * 2.0, f64::max);
    let most_drawn = scenario.cap_percent / 100.0 * CAPS_DRAWN;
    let high = (most.min(most_drawn) * 50.0).ceil() / 50.0;
    let beyond = if most > high { "; what is more is drawn at the top" } else { "" };
    let abandoned = Panel { top: ABANDONED.0, bottom: ABANDONED.1, low: 0.0, high, hours };
    let days = if scenario.days == 1 { "1 day".to_owned() } else { format!("{} days", scenario.days) };
    let title = format!("{}: {days}, seed {}", scenario.name, scenario.seed);
    let mut marks =
        vec![Mark::Text { at: (LEFT, 20.0), text: title, size: 15.0, anchor: Anchor::Start, is_bold: false }];
    marks.extend(busy.frame("agents busy (talk and wrap-up); dashes: U*", 0.2));
    marks.extend(
        abandoned.frame(&format!("abandoned of answered; dashes: the cap{beyond}"), (high / 4.0).max(0.01)),
    );
    marks.push(abandoned.across(scenario.cap_percent / 100.0, CAP, Some((6.0, 3.0))));
    if let Some(report) = reports.first() {
        marks.push(busy.line(&report.over_the_day, |slice| slice.u_star, OPTIMUM, false));
    }
    for (index, report) in reports.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        marks.push(busy.line(&report.over_the_day, |slice| slice.utilisation, colour, true));
        marks.push(abandoned.line(&report.over_the_day, |slice| slice.abandon_rate, colour, true));
        let x = LEFT + 138.0 * (index % NAMES_IN_A_LINE) as f64;
        let y = 535.0 + 20.0 * (index / NAMES_IN_A_LINE) as f64;
        marks.push(Mark::Square { at: (x, y), side: 12.0, colour });
        marks.push(anchored((x + 18.0, y + 11.0), report.policy.clone(), Anchor::Start));
    }
    marks
}

#[cfg(test)]
mod tests {
    use simulator::simulate::{self, Nobody};

    use super::*;

    fn drawn(format: Format) -> Vec<u8> {
        let scenario = Scenario { name: "A & <B>".to_owned(), days: 1, hours: 1.0, ..Scenario::default() };
        let report = simulate::run(&scenario, &"progressive".parse().unwrap(), &mut Nobody).unwrap();
        over_the_day(&scenario, &[report], format).unwrap()
    }

    #[test]
    fn a_day_of_six_minutes_stays_in_its_frame() {
        let scenario = Scenario { days: 1, hours: 0.1, ..Scenario::default() };
        let report = simulate::run(&scenario, &"progressive".parse().unwrap(), &mut Nobody).unwrap();
        for mark in marks(&scenario, &[report]) {
            if let Mark::Line { points, .. } = mark {
                assert!(points.iter().all(|(x, _)| (LEFT..=WIDTH - RIGHT).contains(x)), "{points:?}");
            }
        }
    }

    #[test]
    fn the_files_ending_chooses_the_kind_of_picture() {
        assert_eq!(Format::of(Path::new("a/day.SVG")).unwrap(), Format::Svg);
        assert_eq!(Format::of(Path::new("day.png")).unwrap(), Format::Png);
        let said = Format::of(Path::new("day.jpg")).unwrap_err().to_string();
        assert_eq!(said, "--plot day.jpg: a picture is an .svg or a .png file; name one that ends so");
    }

    #[test]
    fn an_svg_names_the_scenario_and_the_policy() {
        let svg = String::from_utf8(drawn(Format::Svg)).unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("A &amp; &lt;B&gt;: 1 day, seed 1") && svg.contains(">progressive<"));
    }

    #[test]
    fn a_png_is_drawn_without_any_font_of_the_system() {
        let png = drawn(Format::Png);
        let picture = tiny_skia::Pixmap::decode_png(&png).unwrap();
        assert_eq!((picture.width(), picture.height()), (1800, 1160));
        let is_ink = |pixel: &&tiny_skia::PremultipliedColorU8| pixel.red() < 100;
        let title = picture.pixels().iter().take(1800 * 50).filter(is_ink).count();
        assert!(title > 200, "only {title} dark points in the line of the title");
    }
}
