defmodule SnakepitBridge.Native.CodecTest do
  # Terms and values: what each kind of term becomes, what is refused where, and that large ones
  # neither hold a scheduler up nor are copied.
  use SnakepitBridge.NativeCase, async: true

  defp path(term) do
    assert {:error, %Error{status: :invalid_argument} = error} = Native.value_encode(term)
    {error.details["path"], error.message}
  end

  test "atoms, numbers and text" do
    assert json(nil) == "null"
    assert json([true, false, :atom, :日本, :é]) == ~s([true,false,"atom","日本","é"])
    assert json([1, -1, 9_223_372_036_854_775_807]) == "[1,-1,9223372036854775807]"
    assert json(18_446_744_073_709_551_615) == "18446744073709551615"
    assert Native.value_decode(value(5.0)) == {:ok, 5.0}
    assert Native.value_decode(value(0.1 + 0.2)) == {:ok, 0.1 + 0.2}
    assert Native.value_decode(value(%{a: [%{"b" => :x}]})) == {:ok, %{"a" => [%{"b" => "x"}]}}
  end

  test "kinds without a form are refused by place" do
    assert {"$.a[3]", message} = path(%{a: [0, 1, 2, {1, 2}]})
    assert message =~ "tuple" and message =~ "use a list"
    assert {"$", _} = path(self())
    assert {"$[0]", _} = path([make_ref()])
    assert {"$.f", message} = path(%{f: fn -> 1 end})
    assert message =~ "tool"
    assert {"$.n", message} = path(%{n: 18_446_744_073_709_551_616})
    assert message =~ "64 bits"
    assert {"$.n", _} = path(%{n: -9_223_372_036_854_775_809})
    assert {"$[1]", message} = path(["é", <<255>>])
    assert message =~ "%SnakepitBridge.Blob{"
    assert {"$", _} = path(<<1::3>>)
    assert {"$", message} = path([1 | 2])
    assert message =~ "improper"
    assert {"$.u", message} = path(%{u: URI.parse("http://x")})
    assert message =~ "URI" and message =~ "Map.from_struct"

    assert {"$.k", message} =
             path(%{k: [a: 1]}) |> then(fn {p, m} -> {String.slice(p, 0, 3), m} end)

    assert message =~ "tuple"
  end

  test "keys are strings or atoms, and none stands twice" do
    assert {"$", message} = path(%{1 => 2})
    assert message =~ "keys are strings or atoms"
    assert {"$.a", message} = path(%{"a" => %{:b => 1, "b" => 2}})
    assert message =~ ~s("b") and message =~ "twice"
    assert {"$", _} = path(%{<<255>> => 1})
  end

  test "keys that look like a tag are one's own" do
    for key <- ["$spb", "$$spb", "$$$spb"] do
      assert json(%{key => 1}) == ~s({"$#{key}":1})

      assert Native.value_decode(value(%{key => %{"attachment" => 0}})) ==
               {:ok, %{key => %{"attachment" => 0}}}
    end

    assert json(%{"$x" => "$spb"}) == ~s({"$x":"$spb"})
  end

  test "tensors and blobs name what is wrong with them" do
    assert {"$.t.dtype", _} = path(%{t: %Tensor{dtype: :complex64, shape: {}, data: <<0>>}})
    assert {"$.t.shape", _} = path(%{t: %Tensor{dtype: :int8, shape: {"a"}, data: <<0>>}})
    assert {"$[0].data", _} = path([%Blob{data: 1}])

    assert {:error, %Error{status: :invalid_argument}} =
             Native.value_encode(%Tensor{dtype: :int8, shape: {2}, data: <<0>>})

    given = %Tensor{dtype: :int8, shape: [2, 1], data: <<1, 2>>}
    assert Native.value_decode(value(given)) == {:ok, %{given | shape: {2, 1}}}
  end

  test "nesting ends at 64 containers" do
    nest = fn depth -> Enum.reduce(1..(depth - 1), [], fn _, inner -> [inner] end) end
    assert {:ok, _} = Native.value_encode(nest.(64))
    assert {place, message} = path(nest.(65))
    assert message =~ "64" and String.length(place) == 1 + 3 * 64
  end

  test "large terms are left to a dirty scheduler" do
    for term <- [
          Enum.to_list(1..5_000),
          String.duplicate("x", 100_000),
          %Blob{data: :binary.copy(<<0>>, 200_000)},
          Map.new(1..3_000, &{"k#{&1}", &1})
        ] do
      assert Native.value_encode(term) == :large
      assert {:ok, value} = Native.value_encode_large(term)
      assert Native.value_decode(value) == {:ok, term}
    end
  end

  test "attachments are not copied, and live as long as their binaries" do
    # Far more than the tests beside this one hold.
    size = 32 * 1_048_576
    before = :erlang.memory(:binary)
    value = value([%Blob{data: :binary.copy(<<7>>, size)}, %Blob{data: <<1>>}])
    {:ok, [blob, small]} = Native.value_decode(value)
    assert small.data == <<1>>
    part = binary_part(blob.data, size - 2, 2)

    # What the value has is the library's memory: the BEAM keeps no binary of that size. Its
    # schedulers give back at a time of their own what was collected.
    eventually(fn ->
      :erlang.garbage_collect()
      :erlang.memory(:binary) - before < div(size, 2)
    end)

    assert part == <<7, 7>>
  end

  test "documents are checked and kept byte by byte" do
    {:ok, value} = Native.value_from_json(~s( { "a" : 1.50 } ))
    assert Native.value_to_json(value) == {:ok, ~s( { "a" : 1.50 } )}
    assert {:error, %Error{status: :utf8}} = Native.value_from_json(<<34, 255, 34>>)
    assert {:ok, value} = Native.value_from_json(~s({"a":1,"a":2}))
    assert Native.value_decode(value) == {:ok, %{"a" => 2}}
  end
end
