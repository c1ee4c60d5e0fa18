# What `mix format` formats, and how wide lines may be.
[
  inputs: ["{mix,.formatter}.exs", "{lib,test,config,examples}/**/*.{ex,exs}"],
  line_length: 100
]
