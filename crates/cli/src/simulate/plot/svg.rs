//! A picture as SVG.

use std::fmt::Write;

use super::{Anchor, HEIGHT, Mark, WIDTH};

/// The text of the file.
pub(super) fn write(marks: &[Mark]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for mark in marks {
        // Writing to a string cannot fail.
        let _ = match mark {
            Mark::Line { points, colour, width, dashes } => {
                let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
                let dashes = dashes.map(|(on, off)| format!(" stroke-dasharray=\"{on} {off}\""));
                writeln!(
                    svg,
                    "<polyline fill=\"none\" stroke=\"#{colour:06X}\" stroke-width=\"{width}\"{} points=\"{}\"/>",
                    dashes.unwrap_or_default(),
                    points.join(" ")
                )
            }
            Mark::Text { at: (x, y), text, size, anchor, is_bold } => {
                let anchor = match anchor {
                    Anchor::Start => "start",
                    Anchor::Middle => "middle",
                    Anchor::End => "end",
                };
                let weight = if *is_bold { " font-weight=\"bold\"" } else { "" };
                let text = escape(text);
                writeln!(
                    svg,
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\"{weight}>{text}</text>"
                )
            }
            Mark::Square { at: (x, y), side, colour } => writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{side}\" height=\"{side}\" fill=\"#{colour:06X}\"/>"
            ),
        };
    }
    svg += "</svg>\n";
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
