"""The one error of the data room: a table is not what it should be."""


class DataError(ValueError):
    """A table, file or folder breaks a rule.

    The message is one line: `folder/file: row N (label): what is wrong; the rule`.  Rows are counted from 0, as in
    `DataFrame.iloc`; parts that do not apply are left out.
    """
