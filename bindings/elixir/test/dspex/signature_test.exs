defmodule DSPex.SignatureTest do
  # What signature strings are read as, and how faults are told. Needs no platform.
  use ExUnit.Case, async: true

  alias DSPex.Signature
  alias DSPex.Signature.Field
  alias SnakepitBridge.Error

  doctest DSPex.Signature

  defp types(text) do
    {:ok, signature} = Signature.parse(text)
    assert signature.text == text
    {Enum.map(signature.inputs, &pair/1), Enum.map(signature.outputs, &pair/1)}
  end

  defp pair(%Field{name: name, type: type}), do: {name, type}

  defp output(type) do
    {[{"a", :str}], [{"b", read}]} = types("a -> b: " <> type)
    read
  end

  test "fields are in their order, and a field without a type is a text" do
    assert types("question -> answer") == {[{"question", :str}], [{"answer", :str}]}

    assert types("a, b: int,\n  größe_2: bool -> c: float, d,") ==
             {[{"a", :str}, {"b", :int}, {"größe_2", :bool}], [{"c", :float}, {"d", :str}]}
  end

  test "every type that Python knows" do
    assert output("Any") == :any
    assert output("list") == :list
    assert output("dict") == :dict
    assert output("list[int]") == {:list, :int}
    assert output("List[ List[str] ]") == {:list, {:list, :str}}
    assert output("dict[str, list[float]]") == {:dict, {:list, :float}}
    assert output("Optional[bool]") == {:union, [:bool, :none]}
    assert output("int | str | None") == {:union, [:int, :str, :none]}
    assert output("list[(int | None)]") == {:list, {:union, [:int, :none]}}

    assert output(~S|Literal["it's", 'b\'c', 3, True, False]|) ==
             {:literal, ["it's", "b'c", 3, true, false]}
  end

  test "what may be left out" do
    assert Signature.optional?(output("int | None"))
    assert Signature.optional?(output("Optional[list[str]]"))
    refute Signature.optional?(output("list[int | None]"))
    refute Signature.optional?(output("Any"))
  end

  test "a fault is told with its place and what was expected" do
    for {text, column, words} <- [
          {"", 1, "no `->`"},
          {"question", 1, "no `->`"},
          {"a -> b -> c", 8, "second `->`"},
          {"-> b", 1, "expected a field name"},
          {"a ->", 5, "ends here, expected a field name"},
          {"a, -> b, , c", 10, "`,`, expected a field name"},
          {"a b -> c", 3, "`b`, expected `,` or `->`"},
          {"a -> b: strng", 9, "unknown type `strng` of field `b`"},
          {"a -> b: tuple[int]", 9, "unknown type `tuple[...]`"},
          {"a -> b: 'str'", 9, "a string, expected a type of field `b`"},
          {"a: -> b", 4, "expected a type of field `a`"},
          {"a -> b: list[int", 17, "ends here, expected `]`"},
          {"a -> b: dict[int, str]", 14, "keys of field `b` are not str"},
          {"a -> b: Literal[]", 17, "expected a choice of field `b`"},
          {"a -> b: Literal['x", 17, "a string that does not end"},
          {"a -> b: Literal['x->y']", 17, "`->` in a string"},
          {~S"a -> b: Literal['\x41']", 18, ~S"`\x` in a string"},
          {"a -> b = 3", 8, "`=`"},
          {"a, a -> b", 4, "`a` is there twice"},
          {"a -> a", 6, "`a` is there twice"},
          {"class -> b", 1, "`class` is a word of Python's"},
          {"a -> prediction", 6, "`prediction` has a meaning in DSPy"},
          {"_a -> b", 1, "begins with an underscore"},
          {<<"a -> b", 255>>, 1, "not UTF-8"},
          {String.duplicate("a", 70_000) <> " -> b", 1, "at most 65536"}
        ] do
      assert {:error, %Error{status: :invalid_argument} = error} = Signature.parse(text)
      assert error.details == %{"column" => column}, text
      assert error.message =~ "column #{column}: "
      assert error.message =~ words
      assert String.length(error.message) < 600
    end
  end

  test "nesting has a limit" do
    deep = fn depth ->
      String.duplicate("list[", depth) <> "int" <> String.duplicate("]", depth)
    end

    assert {:list, _} = output(deep.(63))
    assert {:error, %Error{message: message}} = Signature.parse("a -> b: " <> deep.(64))
    assert message =~ "at most 64"
  end

  test "parse! raises the error" do
    assert_raise Error, ~r/no `->`/, fn -> Signature.parse!("nothing") end
  end
end
