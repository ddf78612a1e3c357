use super::*;

#[test]
fn a_file_is_put_in_order_and_stays_so() {
    let text = "\n\n# policy\n#a word\nformat=1\nid =  \"x\"  # the id\r\n\n\n\n[step]\nend={ kind=\"stop\" }\n\
                long_name = [ # why\n  { a = 1 },\n]\t\n[step.next]\nkind = \"a # b = c\"\n\n\n";
    let formatted = format(text).unwrap();
    let expected = "# policy\n# a word\nformat = 1\nid     = \"x\"  # the id\n\n[step]\nend       = { kind=\"stop\" }\n\
                    long_name = [ # why\n    { a = 1 },\n]\n\n[step.next]\nkind = \"a # b = c\"\n";
    assert_eq!(formatted, expected);
    assert_eq!(format(&formatted).as_deref(), Ok(expected));
}

#[test]
fn what_is_no_toml_is_refused() {
    assert!(matches!(format("a = "), Err(FormatError::NoToml(_))));
}

#[test]
fn texts_over_several_lines_stay_as_they_are() {
    let text = "a = \"\"\"\n  [not a table]  \n\"\"\"\nbcd = 1\n";
    assert_eq!(format(text).unwrap(), "a   = \"\"\"\n  [not a table]  \n\"\"\"\nbcd = 1\n");
}

#[test]
fn every_shipped_policy_stands_in_the_canonical_form() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/policies");
    let mut read = 0;
    for folder in [folder.clone(), folder.join("demo")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let text = std::fs::read_to_string(&path).unwrap();
                let command = "countersign policy fmt config/policies/*.toml config/policies/demo/*.toml";
                assert_eq!(format(&text).unwrap(), text, "{}: {command}", path.display());
                read += 1;
            }
        }
    }
    assert!(read > 20, "{read} files");
}

#[test]
fn a_comment_between_keys_keeps_them_together() {
    let text = "a = 1\n#why\nlonger = 2\n\nb = 3\n";
    assert_eq!(format(text).unwrap(), "a      = 1\n# why\nlonger = 2\n\nb = 3\n");
}

#[test]
fn no_comment_is_lost() {
    let text = "# head\na=1 # of a\n\n[t] # of t\n# of b\nb=[ # of the array\n# alone\n1, # of 1\n]\n# end\n";
    let formatted = format(text).unwrap();
    for comment in ["# head", "# of a", "# of t", "# of b", "# of the array", "# alone", "# of 1", "# end"] {
        assert!(formatted.contains(comment), "{comment}:\n{formatted}");
    }
}
