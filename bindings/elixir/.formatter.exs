# What `mix format` formats, how wide lines may be, and what is written without parentheses.
[
  inputs: ["{mix,.formatter}.exs", "{lib,test,config,examples}/**/*.{ex,exs}"],
  line_length: 100,
  locals_without_parens: [bang: 2, defdspy: 2, defdspy: 3],
  export: [locals_without_parens: [defdspy: 2, defdspy: 3]]
]
