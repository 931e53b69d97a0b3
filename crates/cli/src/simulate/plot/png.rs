//! A picture as PNG, at twice the size of the SVG, with letters of a built-in 8 by 8 font.

use tiny_skia::{Color, FillRule, Paint, PathBuilder, Pixmap, Rect, Stroke, StrokeDash, Transform};

use super::{Anchor, Colour, HEIGHT, Mark, PlotError, WIDTH};

/// Points of the file for each of the picture's.
const SCALE: f64 = 2.0;
/// Dots of a letter, across and down.
const DOTS: f64 = 8.0;
/// The font's letters fill their square: a size names the height of a line, in which they stand this high.
const LETTER: f64 = 0.66;

/// The bytes of the file.
///
/// # Errors
/// There is not enough memory.
pub(super) fn write(marks: &[Mark]) -> Result<Vec<u8>, PlotError> {
    let (width, height) = ((WIDTH * SCALE) as u32, (HEIGHT * SCALE) as u32);
    let mut picture =
        Pixmap::new(width, height).ok_or_else(|| PlotError::Png("not enough memory".to_owned()))?;
    picture.fill(Color::WHITE);
    for mark in marks {
        match mark {
            Mark::Line { points, colour, width, dashes } => {
                line(&mut picture, points, *colour, *width, *dashes)
            }
            Mark::Text { at, text, size, anchor, is_bold } => {
                letters(&mut picture, *at, text, *size, *anchor, *is_bold);
            }
            Mark::Square { at: (x, y), side, colour } => square(&mut picture, *x, *y, *side, *colour),
        }
    }
    picture.encode_png().map_err(|error| PlotError::Png(error.to_string()))
}

fn paint(colour: Colour) -> Paint<'static> {
    let [_, red, green, blue] = colour.to_be_bytes();
    let mut paint = Paint::default();
    paint.set_color_rgba8(red, green, blue, 255);
    paint.anti_alias = true;
    paint
}

fn scale() -> Transform {
    Transform::from_scale(SCALE as f32, SCALE as f32)
}

fn line(picture: &mut Pixmap, points: &[(f64, f64)], colour: Colour, width: f64, dashes: Option<(f64, f64)>) {
    let mut path = PathBuilder::new();
    for (index, (x, y)) in points.iter().enumerate() {
        if index == 0 {
            path.move_to(*x as f32, *y as f32);
        } else {
            path.line_to(*x as f32, *y as f32);
        }
    }
    // A line of fewer than two points is none.
    let Some(path) = path.finish() else { return };
    let dash = dashes.and_then(|(on, off)| StrokeDash::new(vec![on as f32, off as f32], 0.0));
    let stroke = Stroke { width: width as f32, dash, ..Stroke::default() };
    picture.stroke_path(&path, &paint(colour), &stroke, scale(), None);
}

fn square(picture: &mut Pixmap, x: f64, y: f64, side: f64, colour: Colour) {
    if let Some(rect) = Rect::from_xywh(x as f32, y as f32, side as f32, side as f32) {
        picture.fill_rect(rect, &paint(colour), scale(), None);
    }
}

fn letters(picture: &mut Pixmap, (x, y): (f64, f64), text: &str, size: f64, anchor: Anchor, is_bold: bool) {
    // Whole dots of the file keep letters sharp.
    let dot = (size * LETTER * SCALE / DOTS).round().max(1.0) / SCALE;
    let long = text.chars().count() as f64 * DOTS * dot;
    let left = match anchor {
        Anchor::Start => x,
        Anchor::Middle => x - long / 2.0,
        Anchor::End => x - long,
    };
    let snap = |value: f64| (value * SCALE).round() / SCALE;
    let (left, top) = (snap(left), snap(y - DOTS * dot));
    let wide = if is_bold { dot * 1.5 } else { dot };
    let mut path = PathBuilder::new();
    for (nth, letter) in text.chars().enumerate() {
        // Letters that the font lacks show as a question mark.
        let known = usize::try_from(u32::from(letter)).ok();
        let glyph = known.and_then(|code| font8x8::legacy::BASIC_LEGACY.get(code));
        let glyph = glyph.unwrap_or(&font8x8::legacy::BASIC_LEGACY[usize::from(b'?')]);
        for (row, bits) in glyph.iter().enumerate() {
            for column in (0..8_u32).filter(|column| bits >> column & 1 == 1) {
                let x = left + (nth as f64 * DOTS + f64::from(column)) * dot;
                let y = top + row as f64 * dot;
                if let Some(rect) = Rect::from_xywh(x as f32, y as f32, wide as f32, dot as f32) {
                    path.push_rect(rect);
                }
            }
        }
    }
    if let Some(path) = path.finish() {
        picture.fill_path(&path, &paint(super::BLACK), FillRule::Winding, scale(), None);
    }
}
