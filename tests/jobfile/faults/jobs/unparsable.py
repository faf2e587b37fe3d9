def it(row)
    return row
