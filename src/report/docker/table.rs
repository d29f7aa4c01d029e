//! Columns, laid out as Docker's are.

/// How wide a column is at least, whatever stands in it.
pub const NARROWEST: usize = 10;
/// The same for processes.
pub const NARROWEST_OF_PROCESSES: usize = 20;
const GAP: usize = 3;

/// Lays out lines whose cells are separated by tabs. The last cell of a line is as wide as it is.
pub fn lay_out(lines: &[String], narrowest: usize) -> String {
    let rows: Vec<Vec<&str>> = lines.iter().map(|line| line.split('\t').collect()).collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        let (_, followed) = row.split_last().unwrap_or((&"", &[]));
        for (column, cell) in followed.iter().enumerate() {
            if widths.len() <= column {
                widths.push(narrowest);
            }
            widths[column] = widths[column].max(length(cell) + GAP);
        }
    }
    let mut text = String::new();
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if column + 1 < row.len() {
                text.extend(std::iter::repeat_n(' ', widths[column] - length(cell)));
            }
        }
        text.push('\n');
    }
    text
}

fn length(cell: &str) -> usize {
    cell.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_as_wide_as_its_widest_cell_and_a_gap() {
        let lines =
            ["CONTAINER ID\tNAMES\tSIZE", "99c7b45be6be\tweb\t0B", "x\ta-longer-name\t"].map(String::from);
        let expected = "\
CONTAINER ID   NAMES           SIZE
99c7b45be6be   web             0B
x              a-longer-name   \n";
        assert_eq!(lay_out(&lines, NARROWEST), expected);
    }
}
