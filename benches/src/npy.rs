//! Tables of numbers, and reading them from `.npy` files (formats 1.0 to 3.0) and raw files.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use half::f16;

/// Rows of equally many numbers, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    columns: usize,
    values: Vec<f32>,
}

impl Matrix {
    /// A table with `columns` numbers a row.
    ///
    /// # Panics
    /// If `values` are no whole rows.
    pub fn new(columns: usize, values: Vec<f32>) -> Self {
        assert!(columns > 0 && values.len().is_multiple_of(columns), "whole rows of {columns}");
        Self { columns, values }
    }

    /// Numbers in a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.columns..(i + 1) * self.columns]
    }

    /// All rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.columns)
    }

    /// Every row stretched to length 1: what float16 has rounded is made exact again.
    pub fn unit(mut self) -> Self {
        for row in self.values.chunks_exact_mut(self.columns) {
            let length = row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            for v in row {
                *v = (f64::from(*v) / length) as f32;
            }
        }
        self
    }
}

/// Reads a two-dimensional `.npy` file of float16 or float32 in C order, little-endian.
pub fn read(path: &Path) -> Result<Matrix> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&bytes).with_context(|| format!("{} is no usable .npy file", path.display()))
}

/// Reads a file that is nothing but little-endian float32, `columns` to a row.
pub fn read_raw(path: &Path, columns: usize) -> Result<Matrix> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let whole = columns > 0 && bytes.len().is_multiple_of(columns * 4);
    ensure!(whole, "{}: {} bytes are no whole rows of {columns} float32", path.display(), bytes.len());
    Ok(Matrix::new(columns, floats(&bytes)))
}

/// Magic (6 bytes), version (2), length of the header (2, from version 2 on 4), the header as the
/// text of a Python dictionary, the numbers.
fn parse(bytes: &[u8]) -> Result<Matrix> {
    ensure!(bytes.len() >= 12 && bytes.starts_with(b"\x93NUMPY"), "it does not begin as one");
    let (start, length) = match bytes[6] {
        1 => (10, usize::from(u16::from_le_bytes([bytes[8], bytes[9]]))),
        _ => (12, u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize),
    };
    let header = bytes.get(start..start + length).context("its header is cut short")?;
    let header = std::str::from_utf8(header)?;
    ensure!(field(header, "fortran_order")? == "False", "it is not in C order");
    let shape = field(header, "shape")?;
    let shape: Vec<usize> = shape
        .trim_matches(['(', ')'])
        .split(',')
        .filter_map(|n| Some(n.trim()).filter(|n| !n.is_empty()))
        .map(|n| n.parse().with_context(|| format!("shape {shape}")))
        .collect::<Result<_>>()?;
    let &[rows, columns] = shape.as_slice() else { bail!("it has {} dimensions, not 2", shape.len()) };
    let body = &bytes[start + length..];
    let values: Vec<f32> = match field(header, "descr")?.trim_matches('\'') {
        "<f2" => body.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
        "<f4" => floats(body),
        other => bail!("it holds {other}, not <f2 or <f4"),
    };
    ensure!(columns > 0 && values.len() == rows * columns, "it holds {} numbers", values.len());
    Ok(Matrix::new(columns, values))
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// The value that follows `'name':` in a header, up to the comma that ends it.
fn field<'a>(header: &'a str, name: &str) -> Result<&'a str> {
    let key = format!("'{name}':");
    let at = header.find(&key).with_context(|| format!("its header names no {name}"))? + key.len();
    let rest = header[at..].trim_start();
    let end = if rest.starts_with('(') { rest.find(')').map(|i| i + 1) } else { rest.find([',', '}']) };
    Ok(rest[..end.unwrap_or(rest.len())].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, body: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn reads_float16_and_refuses_the_rest() {
        let body: Vec<u8> =
            [1.0, -2.0, 0.5, 4.0].iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect();
        let header = "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 2), }   \n";
        let matrix = parse(&file(header, &body)).expect("a good file");
        assert_eq!((matrix.len(), matrix.columns(), matrix.row(1)), (2, 2, &[0.5, 4.0][..]));
        for wrong in [
            "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }",
            "{'descr': '<f2', 'fortran_order': True, 'shape': (2, 2), }",
            "{'descr': '<f2', 'fortran_order': False, 'shape': (4,), }",
            "{'descr': '<f2', 'fortran_order': False, 'shape': (3, 2), }",
            "{'descr': '<f2', 'shape': (2, 2), }",
        ] {
            assert!(parse(&file(wrong, &body)).is_err(), "{wrong}");
        }
        assert!(parse(b"\x93NUMPY").is_err() && parse(&file(header, &body)[..30]).is_err());
    }
}
